// Where the chart is looked at: a middle in metres and a scale in CSS pixels a metre; y grows northwards, the screen's
// downwards. Flights follow the smooth path of J. van Wijk and W. Nuij, "Smooth and efficient zooming and panning" (2003).

import type { Box } from "../sea/islands";

export const SCALE_MAX = 44;
const FLIGHT_CURVE = 1.3;
const FLIGHT_SPEED = 1.9; // path units a second
const FLIGHT_MS_MIN = 350;
const FLIGHT_MS_MAX = 4200;

interface View {
  x: number;
  y: number;
  scale: number;
}

type Path = (share: number) => View;

export class Camera {
  x = 0;
  y = 0;
  scale = 0.004;
  width = 1;
  height = 1;
  scale_min = 0.001;
  private flight: { path: Path; started_ms: number; lasts_ms: number; done: (() => void) | undefined } | undefined;

  get flying(): boolean {
    return this.flight !== undefined;
  }

  screenX(x: number): number {
    return (x - this.x) * this.scale + this.width / 2;
  }

  screenY(y: number): number {
    return (this.y - y) * this.scale + this.height / 2;
  }

  worldX(sx: number): number {
    return this.x + (sx - this.width / 2) / this.scale;
  }

  worldY(sy: number): number {
    return this.y - (sy - this.height / 2) / this.scale;
  }

  window(): Box {
    return { x0: this.worldX(0), y0: this.worldY(this.height), x1: this.worldX(this.width), y1: this.worldY(0) };
  }

  resize(width: number, height: number): void {
    this.width = Math.max(width, 1);
    this.height = Math.max(height, 1);
  }

  // The scale at which the box fills the given share of the window.
  scaleFor(box: Box, share = 0.86): number {
    return this.limited(this.scaleForFree(box, share));
  }

  // The same without the limits, to set them.
  scaleForFree(box: Box, share: number): number {
    const w = Math.max(box.x1 - box.x0, 1);
    const h = Math.max(box.y1 - box.y0, 1);
    return Math.min((this.width * share) / w, (this.height * share) / h);
  }

  limited(scale: number): number {
    return Math.min(Math.max(scale, this.scale_min), SCALE_MAX);
  }

  pan(dx: number, dy: number): void {
    this.flight = undefined;
    this.x -= dx / this.scale;
    this.y += dy / this.scale;
  }

  // Zooms so that what lies under (sx, sy) stays there.
  zoom(factor: number, sx = this.width / 2, sy = this.height / 2): void {
    this.flight = undefined;
    const wx = this.worldX(sx);
    const wy = this.worldY(sy);
    this.scale = this.limited(this.scale * factor);
    this.x = wx - (sx - this.width / 2) / this.scale;
    this.y = wy + (sy - this.height / 2) / this.scale;
  }

  stop(): void {
    this.flight = undefined;
  }

  fly(to: View, now_ms: number, done?: () => void): void {
    const target = { ...to, scale: this.limited(to.scale) };
    const { path, length } = smoothPath({ x: this.x, y: this.y, scale: this.scale }, target, Math.max(this.width, this.height));
    const lasts_ms = Math.min(Math.max((length / FLIGHT_SPEED) * 1000, FLIGHT_MS_MIN), FLIGHT_MS_MAX);
    this.flight = { path, started_ms: now_ms, lasts_ms, done };
  }

  // Call it every frame.
  turn(now_ms: number): void {
    const f = this.flight;
    if (f === undefined) return;
    const t = Math.min(Math.max((now_ms - f.started_ms) / f.lasts_ms, 0), 1);
    Object.assign(this, f.path(t * t * (3 - 2 * t)));
    if (t < 1) return;
    this.flight = undefined;
    f.done?.();
  }
}

// extent: pixels of the window; the path is told in metres seen.
function smoothPath(from: View, to: View, extent: number): { path: Path; length: number } {
  const w0 = extent / from.scale;
  const w1 = extent / to.scale;
  const dx = to.x - from.x;
  const dy = to.y - from.y;
  const u1 = Math.hypot(dx, dy);
  const c2 = FLIGHT_CURVE * FLIGHT_CURVE;
  if (u1 < w1 * 0.01 || u1 < 1e-6) {
    const length = Math.abs(Math.log(w1 / w0)) / FLIGHT_CURVE;
    return {
      length,
      path: (t) => ({ x: from.x + dx * t, y: from.y + dy * t, scale: extent / (w0 * Math.pow(w1 / w0, t)) }),
    };
  }
  const b = (sign: number, w: number) => (w1 * w1 - w0 * w0 + sign * c2 * c2 * u1 * u1) / (2 * w * c2 * u1);
  const r = (q: number) => -Math.asinh(q);
  const r0 = r(b(1, w0));
  const r1 = r(b(-1, w1));
  const length = (r1 - r0) / FLIGHT_CURVE;
  const path: Path = (t) => {
    if (t >= 1) return { x: to.x, y: to.y, scale: to.scale };
    const s = t * length;
    const u = (w0 / c2) * (Math.cosh(r0) * Math.tanh(FLIGHT_CURVE * s + r0) - Math.sinh(r0));
    const w = (w0 * Math.cosh(r0)) / Math.cosh(FLIGHT_CURVE * s + r0);
    return { x: from.x + (dx * u) / u1, y: from.y + (dy * u) / u1, scale: extent / w };
  };
  return { path, length };
}
