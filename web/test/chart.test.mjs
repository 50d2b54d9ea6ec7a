import assert from "node:assert/strict";
import { test } from "node:test";
import { readFileSync } from "node:fs";
import { area, boxOf, Camera, clipped, fan, inside, islandAt, placeName, readIslands, SCALE_MAX, thinned } from "../build/modules.mjs";

const square = [0, 0, 10, 0, 10, 10, 0, 10];
// A comb with a bay, a self-touching figure of eight, a clockwise ring.
const comb = [0, 0, 30, 0, 30, 20, 25, 20, 25, 5, 20, 5, 20, 20, 15, 20, 15, 5, 5, 5, 5, 20, 0, 20];
const eight = [0, 0, 10, 10, 20, 0, 20, 10, 10, 10, 0, 10];
const clockwise = [...square].reverse().flatMap((_, i, a) => (i % 2 === 0 ? [a[i + 1], a[i]] : []));

const json = (rings) => ({ islands: [{ id: 1, name: "a", x_m: 0, y_m: 0, columns: 2, rows: 2, land_tiles: 10, harbour: [1000, 1000], rings: rings.map((r) => r.map((m) => m * 1000)) }] });

// How often the fan's triangles cover a point: what INVERT in the stencil counts.
function covers(triangles, x, y) {
  let n = 0;
  for (let i = 0; i < triangles.length; i += 6) {
    const [ax, ay, bx, by, cx, cy] = triangles.slice(i, i + 6);
    const side = (px, py, qx, qy) => (qx - px) * (y - py) - (qy - py) * (x - px);
    const s = [side(ax, ay, bx, by), side(bx, by, cx, cy), side(cx, cy, ax, ay)];
    if (s.every((v) => v > 0) || s.every((v) => v < 0)) n += 1;
  }
  return n;
}

test("the stencil fan covers exactly what lies inside an odd number of times", () => {
  let checked = 0;
  for (const ring of [square, comb, eight, clockwise]) {
    const [island] = readIslands(json([ring]));
    const triangles = [];
    fan([...island.rings[0].points], triangles);
    for (let x = 0.37; x < 31; x += 0.71) {
      for (let y = 0.29; y < 21; y += 0.83) {
        assert.equal(covers(triangles, x, y) % 2 === 1, inside(island, x, y), `${ring} at ${x} ${y}`);
        checked += inside(island, x, y) ? 1 : 0;
      }
    }
  }
  assert.ok(checked > 500);
});

test("clipping keeps what is inside the box and nothing else", () => {
  const box = { x0: 3, y0: 2, x1: 22, y1: 12 };
  for (const ring of [square, comb, eight]) {
    const [whole] = readIslands(json([ring]));
    const piece = clipped(ring, box);
    const [cut] = readIslands(json([piece]));
    for (let x = 3.13; x < 22; x += 0.57) {
      for (let y = 2.11; y < 12; y += 0.61) assert.equal(inside(cut, x, y), inside(whole, x, y), `${x} ${y}`);
    }
    const around = boxOf(piece);
    assert.ok(around.x0 >= 3 && around.x1 <= 22 && around.y0 >= 2 && around.y1 <= 12);
  }
  assert.deepEqual(clipped(square, { x0: 100, y0: 100, x1: 110, y1: 110 }), []);
  assert.equal(area(clipped(square, { x0: -5, y0: -5, x1: 5, y1: 5 })), 25);
});

test("thinning loses nothing that is larger than its tolerance", () => {
  const many = [];
  for (let i = 0; i < 2000; i++) {
    const a = (i / 2000) * Math.PI * 2;
    const r = 1000 + 40 * Math.sin(a * 9) + Math.sin(a * 300);
    many.push(r * Math.cos(a), r * Math.sin(a));
  }
  const ring = Float64Array.from(many);
  for (const tolerance of [2, 8, 32]) {
    const few = thinned(ring, tolerance);
    assert.ok(few.length < ring.length / 3, `${tolerance}: ${few.length / 2}`);
    assert.ok(Math.abs(area(few) / area(ring) - 1) < (tolerance / 1000) * 4);
  }
  assert.equal(thinned(ring, 5000).length >= 6, true, "an islet stays a triangle");
});

test("a zoom keeps what is under the pointer where it is", () => {
  const c = new Camera();
  c.resize(800, 600);
  c.scale = 0.5;
  const [x, y] = [c.worldX(120), c.worldY(450)];
  c.zoom(3, 120, 450);
  assert.ok(Math.abs(c.screenX(x) - 120) < 1e-6 && Math.abs(c.screenY(y) - 450) < 1e-6);
  c.zoom(1e9);
  assert.equal(c.scale, SCALE_MAX);
});

test("a flight begins here and ends there, without a jump", () => {
  const c = new Camera();
  c.resize(800, 600);
  Object.assign(c, { x: 0, y: 0, scale: 0.004 });
  let landed = 0;
  c.fly({ x: 50_000, y: -80_000, scale: 18 }, 0, () => (landed += 1));
  let last = { sx: 0, scale: c.scale };
  for (let t = 0; t <= 5000; t += 16) {
    c.turn(t);
    assert.ok(Number.isFinite(c.x) && Number.isFinite(c.scale));
    assert.ok(c.scale / last.scale < 1.6 && last.scale / c.scale < 1.6);
    last = { scale: c.scale };
  }
  assert.equal(landed, 1);
  assert.ok(Math.abs(c.x - 50_000) < 1e-6 && Math.abs(c.y + 80_000) < 1e-6 && Math.abs(c.scale - 18) < 1e-9);
});

test("rings may be closed or not; what is no ring is left out", () => {
  const [island] = readIslands(json([[...square, 0, 0], [1, 1, 2, 2]]));
  assert.equal(island.rings.length, 1);
  assert.equal(island.rings[0].points.length, 8);
  assert.equal(islandAt([island], 5, 5), island);
  assert.equal(islandAt([island], 500, 5), undefined);
});

test("every shipped island has one name of its own, and no other island gets one", () => {
  const rings = new Map();
  for (const line of readFileSync(new URL("../../worlds/ne10m_korea_sw_coast.csv", import.meta.url), "utf8").trim().split("\n").slice(1)) {
    const [n, , , , x, y] = line.split(",").map(Number);
    rings.set(n, [...(rings.get(n) ?? []), x, y]);
  }
  const islands = [...rings.values()].map((ring) => ({ box: boxOf(ring), land_m2: Math.abs(area(ring)) }));
  for (const language of ["en", "ko"]) {
    const names = islands.map((i) => placeName(i, language));
    assert.ok(names.every((n) => n !== undefined), names.join());
    assert.equal(new Set(names).size, 33);
  }
  assert.equal(placeName({ ...islands[0], land_m2: 1e6 }, "en"), undefined, "an islet in the middle of Jeju is not Jeju");
  assert.equal(placeName({ box: { x0: 0, y0: 0, x1: 9, y1: 9 }, land_m2: 1e6 }, "en"), undefined);
});
