// Hands on the chart: pointers and keys, turned into wishes. As a spectator a drag moves the chart; with an avatar a tap
// walks there and a held pointer leads the way. Two fingers, the wheel and +/- zoom in both. How long a pointer was down is
// told by the events' own times: on a slow machine a frame may lie between a quick press and the moment it is heard of here.

const TAP_MS = 300;
const TAP_PX = 9;
const HOLD_MS = 180;
const WHEEL_STEP = 0.0016;
const PAN_KEY_PX_PER_S = 700;
const GLIDE_HALF_LIFE_MS = 120;

export interface InputEvents {
  playing(): boolean;
  pan(dx: number, dy: number): void;
  zoom(factor: number, x: number, y: number): void;
  tap(x: number, y: number): void;
  lead(x: number, y: number): void;   // the pointer is held there: walk towards it
  leadEnds(): void;
  keys(dx: number, dy: number): void; // direction of the held keys, 0 0 when none
  ride(on: boolean): void;
  speak(): void;
}

const WAYS: { [code: string]: [number, number] } = {
  KeyW: [0, 1], ArrowUp: [0, 1], KeyS: [0, -1], ArrowDown: [0, -1],
  KeyA: [-1, 0], ArrowLeft: [-1, 0], KeyD: [1, 0], ArrowRight: [1, 0],
};

interface Finger {
  x: number;
  y: number;
  start_x: number;
  start_y: number;
  start_ms: number;
  leads: boolean;
}

export class Input {
  private readonly fingers = new Map<number, Finger>();
  private readonly held = new Set<string>();
  private pinched = false;
  private glide_x = 0; // px/ms
  private glide_y = 0;
  private last_ms = 0;

  constructor(private readonly canvas: HTMLCanvasElement, private readonly events: InputEvents) {
    canvas.addEventListener("pointerdown", (e) => this.down(e));
    canvas.addEventListener("pointermove", (e) => this.moved(e));
    canvas.addEventListener("pointerup", (e) => this.up(e, true));
    canvas.addEventListener("pointercancel", (e) => this.up(e, false));
    canvas.addEventListener("wheel", (e) => this.wheel(e), { passive: false });
    canvas.addEventListener("contextmenu", (e) => e.preventDefault());
    canvas.addEventListener("dblclick", (e) => !events.playing() && events.zoom(2, e.clientX, e.clientY));
    window.addEventListener("keydown", (e) => this.key(e, true));
    window.addEventListener("keyup", (e) => this.key(e, false));
    window.addEventListener("blur", () => this.letGo());
    document.addEventListener("visibilitychange", () => document.hidden && this.letGo());
  }

  // Call it every frame.
  turn(local_ms: number): void {
    const dt = Math.min(local_ms - this.last_ms, 100);
    this.last_ms = local_ms;
    if (this.events.playing()) {
      this.glide_x = this.glide_y = 0;
      for (const f of this.fingers.values()) {
        if (!this.pinched && (f.leads || local_ms - f.start_ms > HOLD_MS)) {
          f.leads = true;
          this.events.lead(f.x, f.y);
        }
      }
      return;
    }
    const [kx, ky] = this.direction();
    const step = (PAN_KEY_PX_PER_S * dt) / 1000;
    if (kx !== 0 || ky !== 0) this.events.pan(-kx * step, ky * step);
    if (this.fingers.size > 0) return;
    if (Math.hypot(this.glide_x, this.glide_y) > 0.02) this.events.pan(this.glide_x * dt, this.glide_y * dt);
    const left = Math.pow(0.5, dt / GLIDE_HALF_LIFE_MS);
    this.glide_x *= left;
    this.glide_y *= left;
  }

  private letGo(): void {
    const led = this.held.size > 0;
    this.held.clear();
    this.fingers.clear();
    this.events.ride(false);
    if (led) this.events.keys(0, 0);
    this.events.leadEnds();
  }

  private down(e: PointerEvent): void {
    this.canvas.setPointerCapture(e.pointerId);
    this.canvas.focus({ preventScroll: true });
    this.glide_x = this.glide_y = 0;
    this.fingers.set(e.pointerId, { x: e.clientX, y: e.clientY, start_x: e.clientX, start_y: e.clientY, start_ms: e.timeStamp, leads: false });
    if (this.fingers.size > 1) {
      this.pinched = true;
      this.events.leadEnds();
    }
  }

  private moved(e: PointerEvent): void {
    const f = this.fingers.get(e.pointerId);
    if (f === undefined) return;
    const dx = e.clientX - f.x;
    const dy = e.clientY - f.y;
    if (this.fingers.size === 2) this.pinch(e, f);
    else if (!this.events.playing()) {
      this.events.pan(dx, dy);
      this.glide_x = this.glide_x * 0.6 + (dx / 16) * 0.4;
      this.glide_y = this.glide_y * 0.6 + (dy / 16) * 0.4;
    }
    f.x = e.clientX;
    f.y = e.clientY;
  }

  private pinch(e: PointerEvent, f: Finger): void {
    const other = [...this.fingers.entries()].find(([id]) => id !== e.pointerId)![1];
    const before = Math.hypot(f.x - other.x, f.y - other.y);
    const after = Math.hypot(e.clientX - other.x, e.clientY - other.y);
    const middle_x = (e.clientX + other.x) / 2;
    const middle_y = (e.clientY + other.y) / 2;
    if (!this.events.playing()) this.events.pan((e.clientX - f.x) / 2, (e.clientY - f.y) / 2);
    if (before > 10) this.events.zoom(after / before, middle_x, middle_y);
  }

  private up(e: PointerEvent, counts: boolean): void {
    const f = this.fingers.get(e.pointerId);
    this.fingers.delete(e.pointerId);
    if (f === undefined) return;
    const tapped = e.timeStamp - f.start_ms < TAP_MS && Math.hypot(f.x - f.start_x, f.y - f.start_y) < TAP_PX;
    if (counts && tapped && !this.pinched && !f.leads) this.events.tap(f.x, f.y);
    if (f.leads) this.events.leadEnds();
    if (this.fingers.size === 0) this.pinched = false;
  }

  private wheel(e: WheelEvent): void {
    e.preventDefault();
    const pixels = e.deltaY * (e.deltaMode === 1 ? 16 : e.deltaMode === 2 ? 400 : 1);
    const factor = Math.exp(-Math.max(-400, Math.min(400, pixels)) * (e.ctrlKey ? 6 : 1) * WHEEL_STEP);
    this.events.zoom(factor, e.clientX, e.clientY);
  }

  private direction(): [number, number] {
    let x = 0;
    let y = 0;
    for (const code of this.held) {
      x += WAYS[code]?.[0] ?? 0;
      y += WAYS[code]?.[1] ?? 0;
    }
    return [Math.sign(x), Math.sign(y)];
  }

  private key(e: KeyboardEvent, down: boolean): void {
    if (e.code === "ShiftLeft" || e.code === "ShiftRight") this.events.ride(down);
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    // On a button or a field keys mean what they always mean; only the arrows of a button are free.
    const target = e.target as HTMLElement | null;
    if (down && target instanceof HTMLInputElement) return;
    if (WAYS[e.code] !== undefined) {
      if (down) this.held.add(e.code);
      else this.held.delete(e.code);
      e.preventDefault();
      if (!e.repeat && this.events.playing()) this.events.keys(...this.direction());
      return;
    }
    if (!down || target instanceof HTMLButtonElement) return;
    if (e.key === "Enter") {
      e.preventDefault();
      this.events.speak();
    } else if (e.key === "+" || e.key === "=") this.events.zoom(1.5, innerWidth / 2, innerHeight / 2);
    else if (e.key === "-") this.events.zoom(1 / 1.5, innerWidth / 2, innerHeight / 2);
  }
}
