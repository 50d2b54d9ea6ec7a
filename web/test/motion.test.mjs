import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { chunkOf, motionAt, motionDrawnAt, motionMoves, nearestTime } from "../build/modules.mjs";

const vectors = JSON.parse(readFileSync(new URL("../../test/vectors/motion.json", import.meta.url), "utf8"));

test("movers stand where the vectors say, to the millimetre", () => {
  assert.ok(vectors.motions.length > 50);
  for (const { motion, at } of vectors.motions) {
    for (const [at_ms, x_mm, y_mm] of at) assert.deepEqual(motionAt(motion, at_ms), { x_mm: x_mm + 0, y_mm: y_mm + 0 });
  }
});

test("what is drawn is within a millimetre of what is true", () => {
  for (const { motion, at } of vectors.motions) {
    for (const [at_ms, x_mm, y_mm] of at) {
      const drawn = motionDrawnAt(motion, at_ms);
      assert.ok(Math.abs(drawn.x_mm - x_mm) < 1 && Math.abs(drawn.y_mm - y_mm) < 1);
    }
  }
});

test("times are completed to the nearest, across the wrap of 32 bits", () => {
  for (const [low, near, value] of vectors.times) assert.equal(nearestTime(low, near), value);
});

test("chunks by floor division, also below zero", () => {
  for (const [mm, chunk] of vectors.chunks) assert.equal(chunkOf(mm), chunk);
});

test("a motion moves until it is over", () => {
  const m = { x_mm: 0, y_mm: 0, vx: 0, vy: 5, since_ms: 1000, lasts_ms: 500 };
  assert.equal(motionMoves(m, 1499), true);
  assert.equal(motionMoves(m, 1500), false);
  assert.equal(motionMoves({ ...m, vy: 0 }, 1200), false);
});
