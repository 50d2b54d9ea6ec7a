import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Avatar, cutToBytes, decodeBatch, firstLanguage, moverDrawnAt, playUrl, Replica, retryDelay, windowAround, WINDOW_BLOCKS_MAX, WorldClock,
} from "../build/modules.mjs";
import { BatchWriter } from "./batch_writer.mjs";

const NOW = 1_000_000;

function feed(replica, batch, now_ms = NOW) {
  for (const record of decodeBatch(batch.bytes(), now_ms)) replica.apply(record, now_ms);
}

const stands = (x_mm, y_mm, since_ms = NOW) => ({ x_mm, y_mm, vx: 0, vy: 0, since_ms, lasts_ms: 0 });

test("a leave counts only for the chunk it was last published in", () => {
  const r = new Replica();
  feed(r, new BatchWriter().motion(1n, 0, stands(10, 10)));
  feed(r, new BatchWriter().motion(1n, 0, stands(30010, 10)).leave(1n, 0, 0));
  assert.equal(r.movers.get(1n).cx, 1);
  feed(r, new BatchWriter().leave(1n, 1, 0));
  assert.equal(r.movers.size, 0);
});

test("forget drops the movers and things of that chunk alone", () => {
  const r = new Replica();
  feed(r, new BatchWriter().motion(1n, 0, stands(10, 10)).motion(2n, 0, stands(30010, 10)).thing(3n, 1, 20, 20, []).thing(4n, 1, 30020, 20, []));
  feed(r, new BatchWriter().forget(0, 0));
  assert.deepEqual([...r.movers.keys()], [2n]);
  assert.deepEqual([...r.things.keys()], [4n]);
});

test("an island record drops everything known before", () => {
  const r = new Replica();
  feed(r, new BatchWriter().motion(1n, 0, stands(10, 10)).thing(3n, 1, 20, 20, []).island(5));
  assert.equal(r.island, 5);
  assert.equal(r.movers.size + r.things.size, 0);
  assert.equal([...r.drawn(NOW)].length, 0);
});

test("a range removes whom it would have named, but not who was heard of since, nor things, nor other chunks", () => {
  const r = new Replica();
  const old = NOW - 5000;
  feed(r, new BatchWriter().motion(10n, 0, stands(1, 1, old)).motion(11n, 0, stands(2, 2, old)).motion(12n, 0, stands(3, 3, NOW - 299))
    .motion(20n, 0, stands(4, 4, old)).motion(13n, 0, stands(30001, 1, old)).thing(14n, 1, 5, 5, []));
  feed(r, new BatchWriter().range(0, 0, 10n, 15n, NOW, [{ entity: 11n, look: 0, x: 100, y: 200 }, { entity: 12n, look: 0, x: 9, y: 9 }]));
  assert.deepEqual([...r.movers.keys()].sort(), [11n, 12n, 13n, 20n]);
  assert.equal(r.movers.get(11n).motion.x_mm, 100);
  assert.equal(r.movers.get(12n).motion.x_mm, 3, "what was heard directly is newer");
  assert.ok(r.things.has(14n));
});

test("a motion that begins before the known one is old news", () => {
  const r = new Replica();
  feed(r, new BatchWriter().motion(1n, 0, stands(30010, 10)));
  feed(r, new BatchWriter().motion(1n, 0, stands(10, 10, NOW - 1)));
  assert.equal(r.movers.get(1n).cx, 1, "from the chunk it left: changes nothing");
  feed(r, new BatchWriter().leave(1n, 0, 0));
  assert.equal(r.movers.size, 1);
  feed(r, new BatchWriter().motion(1n, 1, stands(30020, 10)));
  assert.equal(r.movers.get(1n).motion.x_mm, 30020, "as old as the known one is news");
  feed(r, new BatchWriter().leave(1n, 1, 0).motion(1n, 0, stands(10, 10, NOW - 1)));
  assert.equal(r.movers.get(1n).cx, 0, "who left is not known");
});

test("after a range, a motion is old news only if it begins before the range's grace", () => {
  const r = new Replica();
  feed(r, new BatchWriter().range(0, 0, 1n, 9n, NOW, [{ entity: 1n, look: 0, x: 100, y: 200 }]));
  feed(r, new BatchWriter().motion(1n, 0, stands(7, 7, NOW - 301)));
  assert.equal(r.movers.get(1n).motion.x_mm, 100);
  feed(r, new BatchWriter().motion(1n, 0, stands(8, 8, NOW - 300)));
  assert.equal(r.movers.get(1n).motion.x_mm, 8);
});

test("the own avatar is never one of the others", () => {
  const r = new Replica();
  r.own = 9n;
  feed(r, new BatchWriter().motion(9n, 0, stands(1, 1)).range(0, 0, 1n, 10n, NOW, [{ entity: 9n, look: 0, x: 1, y: 1 }]));
  assert.equal(r.movers.size, 0);
});

test("news bend the way: nobody jumps, and the difference fades", () => {
  const r = new Replica();
  feed(r, new BatchWriter().motion(1n, 0, { ...stands(0, 0), vx: 2500, lasts_ms: 2000 }));
  const later = NOW + 500;
  const before = moverDrawnAt(r.movers.get(1n), later);
  feed(r, new BatchWriter().motion(1n, 0, { ...stands(2000, 0, later - 100), vy: 2500, lasts_ms: 2000 }), later);
  const after = moverDrawnAt(r.movers.get(1n), later);
  assert.ok(Math.hypot(after.x_mm - before.x_mm, after.y_mm - before.y_mm) < 1);
  const settled = moverDrawnAt(r.movers.get(1n), later + 1500);
  assert.ok(Math.abs(settled.x_mm - 2000) < 1);
});

test("who is placed anew does not glide across the island", () => {
  const r = new Replica();
  feed(r, new BatchWriter().motion(1n, 0, stands(0, 0)).motion(1n, 0, stands(500000, 0)));
  assert.equal(moverDrawnAt(r.movers.get(1n), NOW).x_mm, 500000);
});

test("world time comes from the shortest round trip and never jumps", () => {
  const c = new WorldClock();
  c.greeted(50_000, 1000);
  assert.equal(c.now(1000), 50_000);
  c.exchanged(1000, 50_040, 1200); // 200 ms round trip: world is 50140 at 1200
  c.exchanged(1300, 50_210, 1310); // 10 ms: world is 50215 at 1310
  const at = c.now(1310);
  assert.ok(Math.abs(at - 50_310) < 20, "slewed, not stepped");
  let last = at;
  for (let t = 1320; t < 6000; t += 10) {
    const now = c.now(t);
    assert.ok(now >= last, "never backwards");
    last = now;
  }
  assert.ok(Math.abs(c.now(6000) - (50_215 + 4690)) < 0.01);
  c.exchanged(6000, 9_000_000, 6010); // another world: at once
  assert.equal(Math.round(c.now(6010)), 9_000_005);
});

function avatarAt(x_mm, y_mm) {
  const sent = [];
  const port = { send: (move_no, motion, look) => sent.push({ move_no, motion, look }) };
  return { sent, a: new Avatar(1n, stands(x_mm, y_mm), port, (look) => (look === 1 ? 20000 : 5000)) };
}

test("a held key is one move, refreshed every second, and letting go stops at once", () => {
  const { a, sent } = avatarAt(0, 0);
  a.wish({ kind: "towards", x: 1, y: 0 }, 0, NOW);
  for (let t = NOW; t < NOW + 2500; t += 16) a.turn(t);
  assert.deepEqual(sent.map((s) => s.move_no), [1, 2, 3]);
  assert.deepEqual(sent[0].motion, { x_mm: 0, y_mm: 0, vx: 2500, vy: 0, since_ms: NOW, lasts_ms: 2000 });
  a.wish({ kind: "stand" }, 0, NOW + 2500);
  const last = sent.at(-1).motion;
  assert.deepEqual([last.vx, last.vy, last.lasts_ms, last.x_mm], [0, 0, 0, 12500]);
});

test("a dragging finger does not flood the line", () => {
  const { a, sent } = avatarAt(0, 0);
  for (let i = 0; i < 1000; i++) a.wish({ kind: "towards", x: Math.cos(i), y: Math.sin(i) }, 0, NOW + i);
  assert.ok(sent.length >= 9 && sent.length <= 11, String(sent.length));
});

test("walking to a place ends there", () => {
  const { a, sent } = avatarAt(0, 0);
  a.wish({ kind: "to", place: { x_mm: 3000, y_mm: 4000 } }, 0, NOW);
  assert.equal(sent[0].motion.lasts_ms, 1000);
  for (let t = NOW; t < NOW + 3000; t += 16) a.turn(t);
  const at = a.placeAt(NOW + 3000);
  assert.ok(Math.hypot(at.x_mm - 3000, at.y_mm - 4000) <= 150);
  assert.equal(a.moves(NOW + 3000), false);
  assert.ok(sent.length <= 3);
});

test("a correction is taken, smoothly, unless newer moves are on their way", () => {
  const { a, sent } = avatarAt(0, 0);
  a.wish({ kind: "towards", x: 1, y: 0 }, 0, NOW);
  a.wish({ kind: "towards", x: 0, y: 1 }, 0, NOW + 200);
  assert.equal(sent.length, 2);
  const body = (x) => ({ entity: 1n, look: 0, motion: stands(x, 0, NOW + 250) });
  a.told(1, 1, body(-4000), NOW + 250);
  assert.ok(a.placeAt(NOW + 250).x_mm > 0, "move 2 is on its way");
  const before = a.drawnAt(NOW + 260);
  a.told(1, 2, body(-500), NOW + 260);
  assert.equal(a.placeAt(NOW + 260).x_mm, -500);
  assert.ok(Math.abs(a.drawnAt(NOW + 260).x_mm - before.x_mm) < 1);
  assert.ok(Math.abs(a.drawnAt(NOW + 2000).x_mm + 500) < 1);
  // The key is still held: tried again, but not at once.
  a.turn(NOW + 300);
  assert.equal(sent.length, 2);
  a.turn(NOW + 700);
  assert.equal(sent.length, 3);
});

test("who is held up on the way to a place tries again while that brings him closer, and stands when it does not", () => {
  const { a, sent } = avatarAt(0, 0);
  const correct = (x_mm, t) => a.told(1, sent.length, { entity: 1n, look: 0, motion: stands(x_mm, 0, t) }, t);
  a.wish({ kind: "to", place: { x_mm: 9000, y_mm: 0 } }, 0, NOW);
  correct(0, NOW + 300); // the move came late: not a step was made
  a.turn(NOW + 500);
  assert.equal(sent.length, 1, "not at once");
  a.turn(NOW + 700);
  assert.equal(sent.length, 2);
  assert.equal(sent[1].motion.vx, 2500);
  correct(4000, NOW + 1500); // half of the way, then the shore
  a.turn(NOW + 1900);
  assert.equal(sent.length, 3);
  correct(4000, NOW + 1950);
  for (let t = NOW + 1950; t < NOW + 6000; t += 16) a.turn(t);
  assert.equal(sent.length, 3, "the sea does not give way");
  assert.equal(a.target(NOW + 6000), undefined);
  a.wish({ kind: "to", place: { x_mm: 9000, y_mm: 0 } }, 0, NOW + 6000);
  assert.equal(sent.length, 4, "asked again it tries again");
});

test("who is put back after he came to his place goes there once more", () => {
  const { a, sent } = avatarAt(0, 0);
  a.wish({ kind: "to", place: { x_mm: 3000, y_mm: 0 } }, 0, NOW);
  for (let t = NOW; t < NOW + 900; t += 16) a.turn(t);
  assert.equal(sent.length, 1, "the motion ends there without another word");
  assert.equal(a.placeAt(NOW + 900).x_mm, 3000);
  assert.equal(a.target(NOW + 900), undefined);
  a.told(1, 1, { entity: 1n, look: 0, motion: stands(1000, 0, NOW + 900) }, NOW + 900);
  for (let t = NOW + 900; t < NOW + 2500; t += 16) a.turn(t);
  assert.equal(sent.length, 2);
  assert.equal(a.placeAt(NOW + 2500).x_mm, 3000);
  a.mount(1, NOW + 2600);
  assert.equal(sent.at(-1).look, 1, "who stands there can mount");
  assert.equal(a.placeAt(NOW + 2700).x_mm, 3000);
});

test("a confirmation without a flag changes nothing", () => {
  const { a } = avatarAt(0, 0);
  a.told(0, 9, { entity: 1n, look: 0, motion: stands(777, 0) }, NOW);
  assert.equal(a.placeAt(NOW).x_mm, 0);
});

test("placed anew means there, at once, even against a newer move", () => {
  const { a } = avatarAt(0, 0);
  a.wish({ kind: "towards", x: 1, y: 0 }, 0, NOW);
  a.told(2, 0, { entity: 1n, look: 0, motion: stands(9_000_000, 5) }, NOW + 10);
  assert.deepEqual(a.drawnAt(NOW + 10), { x_mm: 9_000_000, y_mm: 5 });
});

test("a spectator's window holds whole blocks around the middle, never more than a gate listens for", () => {
  for (const [w, h] of [[10, 10], [240, 160], [3200, 400], [400, 3200], [20000, 20000], [840, 840]]) {
    const win = windowAround(3, 10_000, 20_000, w, h);
    const columns = (win.w_mm + 1) / 120000, rows = (win.h_mm + 1) / 120000;
    assert.ok(Number.isInteger(columns) && Number.isInteger(rows) && columns * rows <= WINDOW_BLOCKS_MAX, `${w} x ${h}: ${columns} x ${rows}`);
    assert.ok(columns * rows >= Math.min(WINDOW_BLOCKS_MAX / 2, Math.ceil(w / 120) * Math.ceil(h / 120)), `${w} x ${h}: ${columns} x ${rows}`);
    assert.equal(win.x_mm % 120000, 0);
    const middle = (win.x_mm + win.w_mm / 2) / 1000;
    assert.ok(Math.abs(middle - 10_000) <= 60.001);
  }
  assert.equal(windowAround(1, 5, 5, 300, 300).x_mm, 0, "never west of the island");
});

test("waiting grows, is jittered, and is never shorter than asked for", () => {
  assert.equal(retryDelay(0, 0, 0), 125);
  assert.equal(retryDelay(0, 0, 1), 250);
  assert.ok(retryDelay(30, 0, 1) <= 15000);
  assert.ok(retryDelay(3, 20000, 0) > 20000);
});

test("a line to say is cut between characters", () => {
  assert.equal(cutToBytes("안녕하세요", 7), "안녕");
  assert.equal(cutToBytes("a😀b", 4), "a");
  assert.equal(cutToBytes("short", 200), "short");
});

test("the language is what was chosen, else the first known of the browser's, else English", () => {
  assert.equal(firstLanguage("ko", ["en-US"]), "ko");
  assert.equal(firstLanguage(null, ["ja", "ko-KR", "en"]), "ko");
  assert.equal(firstLanguage(null, ["en-GB", "ko"]), "en");
  assert.equal(firstLanguage("xx", ["fr"]), "en");
});

test("the play port is looked for where the page came from when the server names a loopback", () => {
  const lan = { protocol: "http:", hostname: "192.168.0.7" };
  assert.equal(playUrl("127.0.0.1:7777", lan), "ws://192.168.0.7:7777/");
  assert.equal(playUrl("0.0.0.0:7777", lan), "ws://192.168.0.7:7777/");
  assert.equal(playUrl("[::]:7777", lan), "ws://192.168.0.7:7777/");
  assert.equal(playUrl("sea.example:80", { protocol: "https:", hostname: "x" }), "wss://sea.example:80/");
});
