// The islands of /islands.json, turned into metres on the sea chart (x east, y north).

export interface Ring {
  points: Float64Array; // x, y, x, y, ...; not closed: the last joins the first
  box: Box;
}

export interface Box {
  x0: number;
  y0: number;
  x1: number;
  y1: number;
}

export interface Island {
  id: number;
  name: string;
  x_m: number; // south-west corner
  y_m: number;
  land_m2: number;
  box: Box;
  harbour_x: number;
  harbour_y: number;
  rings: Ring[];
}

const TILE_M2 = 1.875 * 1.875;
const CHUNK_M = 30;

interface IslandJson {
  id: number;
  name: string;
  x_m: number;
  y_m: number;
  columns: number;
  rows: number;
  land_tiles: number;
  harbour: [number, number];
  rings: number[][];
}

export function boxOf(points: ArrayLike<number>): Box {
  const box = { x0: Infinity, y0: Infinity, x1: -Infinity, y1: -Infinity };
  for (let i = 0; i + 1 < points.length; i += 2) {
    const x = points[i]!;
    const y = points[i + 1]!;
    box.x0 = Math.min(box.x0, x);
    box.x1 = Math.max(box.x1, x);
    box.y0 = Math.min(box.y0, y);
    box.y1 = Math.max(box.y1, y);
  }
  return box;
}

function ringOf(flat_mm: number[], x_m: number, y_m: number): Ring | undefined {
  let count = flat_mm.length >> 1;
  if (count > 1 && flat_mm[0] === flat_mm[2 * count - 2] && flat_mm[1] === flat_mm[2 * count - 1]) count -= 1;
  if (count < 3) return undefined;
  const points = new Float64Array(count * 2);
  for (let i = 0; i < count; i++) {
    points[2 * i] = x_m + flat_mm[2 * i]! / 1000;
    points[2 * i + 1] = y_m + flat_mm[2 * i + 1]! / 1000;
  }
  return { points, box: boxOf(points) };
}

export function readIslands(json: unknown): Island[] {
  const list = (json as { islands: IslandJson[] }).islands;
  return list.map((i) => ({
    id: i.id, name: i.name, x_m: i.x_m, y_m: i.y_m, land_m2: i.land_tiles * TILE_M2,
    box: { x0: i.x_m, y0: i.y_m, x1: i.x_m + i.columns * CHUNK_M, y1: i.y_m + i.rows * CHUNK_M },
    harbour_x: i.x_m + i.harbour[0] / 1000, harbour_y: i.y_m + i.harbour[1] / 1000,
    rings: i.rings.map((r) => ringOf(r, i.x_m, i.y_m)).filter((r): r is Ring => r !== undefined),
  }));
}

export function boxOfAll(islands: readonly Island[]): Box {
  const corners = islands.flatMap((i) => [i.box.x0, i.box.y0, i.box.x1, i.box.y1]);
  return boxOf(corners);
}

export function islandAt(islands: readonly Island[], x: number, y: number): Island | undefined {
  let best: Island | undefined;
  let best_distance = Infinity;
  for (const i of islands) {
    if (x < i.box.x0 || x > i.box.x1 || y < i.box.y0 || y > i.box.y1) continue;
    // Boxes of neighbours overlap: the middle that is nearer, measured in sizes, decides.
    const dx = (x - (i.box.x0 + i.box.x1) / 2) / (i.box.x1 - i.box.x0);
    const dy = (y - (i.box.y0 + i.box.y1) / 2) / (i.box.y1 - i.box.y0);
    if (inside(i, x, y)) return i;
    const distance = Math.hypot(dx, dy);
    if (distance < best_distance) {
      best = i;
      best_distance = distance;
    }
  }
  return best;
}

// On land, by the even-odd rule over all rings.
export function inside(island: Island, x: number, y: number): boolean {
  let odd = false;
  for (const { points } of island.rings) {
    for (let i = 0, j = points.length - 2; i < points.length; j = i, i += 2) {
      const yi = points[i + 1]!;
      const yj = points[j + 1]!;
      if (yi > y !== yj > y && x < ((points[j]! - points[i]!) * (y - yi)) / (yj - yi) + points[i]!) odd = !odd;
    }
  }
  return odd;
}
