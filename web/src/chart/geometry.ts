// Coast lines made ready for one view: thinned to what the eye can see, cut to the window (so that a card never has to
// draw a triangle of 70 km at 30 pixels a metre), as triangles for the stencil and as segments for the shore.

import type { Box, Ring } from "../sea/islands";

export function boxesMeet(a: Box, b: Box): boolean {
  return a.x0 <= b.x1 && a.x1 >= b.x0 && a.y0 <= b.y1 && a.y1 >= b.y0;
}

export function grown(b: Box, by: number): Box {
  return { x0: b.x0 - by, y0: b.y0 - by, x1: b.x1 + by, y1: b.y1 + by };
}

// Distance of point p from the segment a-b, squared.
function distance2(points: ArrayLike<number>, p: number, a: number, b: number): number {
  const ax = points[2 * a]!;
  const ay = points[2 * a + 1]!;
  const dx = points[2 * b]! - ax;
  const dy = points[2 * b + 1]! - ay;
  const px = points[2 * p]! - ax;
  const py = points[2 * p + 1]! - ay;
  const length2 = dx * dx + dy * dy;
  const t = length2 > 0 ? Math.min(1, Math.max(0, (px * dx + py * dy) / length2)) : 0;
  return (px - t * dx) ** 2 + (py - t * dy) ** 2;
}

// Douglas-Peucker over a closed ring, cut open at the first vertex and the one farthest from it. Keeps at least 3 vertices.
export function thinned(points: Float64Array, tolerance: number): Float64Array {
  const n = points.length / 2;
  if (n <= 4 || tolerance <= 0) return points;
  let far = 1;
  for (let i = 2; i < n; i++) if (distance2(points, i, 0, 0) > distance2(points, far, 0, 0)) far = i;
  const keep = new Uint8Array(n);
  keep[0] = keep[far] = 1;
  const work: [number, number][] = [[0, far], [far, n]];
  const at = (i: number) => i % n;
  while (work.length > 0) {
    const [a, b] = work.pop()!;
    let worst = -1;
    let worst2 = tolerance * tolerance;
    for (let i = a + 1; i < b; i++) {
      const d2 = distance2(points, at(i), at(a), at(b));
      if (d2 > worst2) {
        worst2 = d2;
        worst = i;
      }
    }
    if (worst < 0) continue;
    keep[at(worst)] = 1;
    work.push([a, worst], [worst, b]);
  }
  if (keep.reduce((sum, k) => sum + k, 0) < 3) {
    // A sliver thinner than the tolerance: keep it visible as a triangle.
    keep[far === 1 ? 2 : 1] = 1;
  }
  const out: number[] = [];
  for (let i = 0; i < n; i++) if (keep[i]) out.push(points[2 * i]!, points[2 * i + 1]!);
  return Float64Array.from(out);
}

// Sutherland-Hodgman. Pieces that leave and come back are joined along the edge of the box, which lies outside what is seen.
export function clipped(points: ArrayLike<number>, box: Box): number[] {
  let ring = Array.from(points);
  const edges: [axis: 0 | 1, limit: number, sign: 1 | -1][] = [[0, box.x0, 1], [0, box.x1, -1], [1, box.y0, 1], [1, box.y1, -1]];
  for (const [axis, limit, sign] of edges) {
    const next: number[] = [];
    for (let i = 0, j = ring.length - 2; i < ring.length; j = i, i += 2) {
      const here = (ring[i + axis]! - limit) * sign;
      const before = (ring[j + axis]! - limit) * sign;
      if (here >= 0 !== before >= 0) {
        const t = before / (before - here);
        next.push(ring[j]! + (ring[i]! - ring[j]!) * t, ring[j + 1]! + (ring[i + 1]! - ring[j + 1]!) * t);
      }
      if (here >= 0) next.push(ring[i]!, ring[i + 1]!);
    }
    ring = next;
  }
  return ring;
}

// Triangles from the first vertex to every edge. Drawn into the stencil with INVERT, every pixel that lies inside is
// covered an odd number of times, whatever the shape: no triangulation is needed and a self-touching ring does no harm.
export function fan(ring: readonly number[], out: number[]): void {
  for (let i = 2; i + 3 < ring.length; i += 2) {
    out.push(ring[0]!, ring[1]!, ring[i]!, ring[i + 1]!, ring[i + 2]!, ring[i + 3]!);
  }
}

export function area(points: ArrayLike<number>): number {
  let twice = 0;
  for (let i = 0, j = points.length - 2; i < points.length; j = i, i += 2) {
    twice += points[j]! * points[i + 1]! - points[i]! * points[j + 1]!;
  }
  return twice / 2;
}

// One thinned copy per ring and power of four metres, made when first needed.
export class Coast {
  private readonly levels = new Map<number, { ring: Ring; points: Float64Array }[]>();

  constructor(private readonly rings: readonly Ring[]) {}

  at(metres_per_pixel: number): { ring: Ring; points: Float64Array }[] {
    const level = Math.max(-1, Math.floor(Math.log(metres_per_pixel * 0.7) / Math.log(4)));
    let list = this.levels.get(level);
    if (list === undefined) {
      list = this.rings.map((ring) => ({ ring, points: level < 0 ? ring.points : thinned(ring.points, 4 ** level) }));
      this.levels.set(level, list);
    }
    return list;
  }
}
