// How many pixels a slow machine is asked for.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Pace } from "../build/modules.mjs";

function run(pace, frames, frame_ms, rest_ms = 0) {
  run.at = run.at ?? 0;
  for (let i = 0; i < frames; i++) pace.painted((run.at += frame_ms), 1, rest_ms);
  return pace.density;
}

test("a fast machine keeps its pixels, also when a frame now and then is slow, or the page was hidden", () => {
  const pace = new Pace(3);
  assert.equal(pace.density, 2, "more than two nobody sees");
  for (let i = 0; i < 200; i++) {
    run(pace, 1, 120);
    run(pace, 20, 16);
    run(pace, 1, 60_000);
  }
  assert.equal(pace.density, 2);
});

test("a slow machine gives pixels up, the slower the sooner, and not below the least", () => {
  const slow = new Pace(2);
  run(slow, 11, 60);
  assert.equal(slow.density, 2);
  run(slow, 2, 60);
  assert.ok(slow.density < 2);
  const slower = new Pace(2);
  run(slower, 5, 900);
  assert.ok(slower.density < 2, "also one that draws a frame a second");
  assert.equal(run(slower, 100, 900), 0.5);
});

test("a page that rests between its frames is not slow for that", () => {
  const resting = new Pace(1);
  assert.equal(run(resting, 500, 66, 50), 1);
  assert.equal(run(resting, 500, 1010, 1000), 1);
  assert.equal(run(resting, 500, 300, 50), 0.5, "but for what the frame takes");
});
