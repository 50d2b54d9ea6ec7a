// Hands on the chart, without a browser: events and a clock by hand.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Input } from "../build/modules.mjs";

// What the page would hear, with the time at which the hand did it; when it is heard is the test's business.
function pointer(kind, at_ms, x = 100, y = 100) {
  const e = new Event(kind);
  Object.defineProperty(e, "timeStamp", { value: at_ms });
  return Object.assign(e, { pointerId: 1, clientX: x, clientY: y });
}

function hands() {
  const asked = [];
  const heard = (name) => (...values) => void asked.push([name, ...values]);
  const canvas = Object.assign(new EventTarget(), { setPointerCapture() {}, focus() {} });
  globalThis.window = new EventTarget();
  globalThis.document = new EventTarget();
  const input = new Input(canvas, {
    playing: () => true, pan: heard("pan"), zoom: heard("zoom"), tap: heard("tap"), lead: heard("lead"), leadEnds: heard("leadEnds"),
    keys: heard("keys"), ride: heard("ride"), speak: heard("speak"),
  });
  return { asked, canvas, input };
}

test("a quick press is a tap, however late a slow page hears of its two halves", () => {
  const { asked, canvas, input } = hands();
  const now = performance.now();
  canvas.dispatchEvent(pointer("pointerdown", now - 2000));
  canvas.dispatchEvent(pointer("pointerup", now - 1920));
  input.turn(now);
  assert.deepEqual(asked, [["tap", 100, 100]]);
});

test("a long press leads, and is no tap, however fast the page hears of its two halves", () => {
  const { asked, canvas, input } = hands();
  const now = performance.now();
  canvas.dispatchEvent(pointer("pointerdown", now - 2000));
  input.turn(now - 1500);
  canvas.dispatchEvent(pointer("pointerup", now - 1200));
  assert.deepEqual(asked, [["lead", 100, 100], ["leadEnds"]]);
  asked.length = 0;
  canvas.dispatchEvent(pointer("pointerdown", now - 1000));
  canvas.dispatchEvent(pointer("pointerup", now - 500));
  assert.deepEqual(asked, []);
});
