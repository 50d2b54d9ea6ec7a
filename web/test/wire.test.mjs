import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CODES, cameraFrame, decodeBatch, goodbyeFrame, helloFrame, moveFrame, pingFrame, Reader, readClientMessage, readServerMessage,
  sayFrame, serverFrame, TEXTS, WireError, Writer,
} from "../build/modules.mjs";
import { BatchWriter } from "./batch_writer.mjs";
import { readFileSync } from "node:fs";

const NOW = 5_000_000_123;
const hex = (text) => Uint8Array.from(text.replaceAll(" ", "").match(/../g) ?? [], (b) => parseInt(b, 16));
const motion = { x_mm: 123456, y_mm: -7, vx: -3500, vy: 12, since_ms: NOW - 40, lasts_ms: 2000 };

test("messages are the bytes that protobuf makes", () => {
  // Worked out by hand from the encoding rules: tag = number << 3 | wire type.
  assert.deepEqual(pingFrame(300.9), hex("00 32 03 08 ac 02"));
  assert.deepEqual(sayFrame(5, "hi"), hex("00 1a 08 08 05 12 04 0a 02 68 69"));
  assert.deepEqual(sayFrame(5, "hi", 1), hex("00 1a 0a 08 05 12 06 0a 02 68 69 10 01"));
  assert.deepEqual(goodbyeFrame("LEFT"), hex("00 2a 02 08 10"));
  assert.deepEqual(helloFrame({ client: "p", spectator: true }), hex("00 0a 0b 0a 04 08 01 10 01 18 01 2a 01 70"));
  // sint32 -7 is 13; an int32 below zero takes ten bytes.
  const move = moveFrame(1, { x_mm: 0, y_mm: -7, vx: 0, vy: 0, since_ms: 0, lasts_ms: 0 }, 0);
  assert.deepEqual(move, hex("00 12 06 08 01 12 02 10 0d"));
  const camera = cameraFrame(1, { island: 2, x_mm: -1, y_mm: 0, w_mm: 9, h_mm: 0 });
  assert.deepEqual(camera, hex("00 1a 13 08 01 22 0f 08 02 10 ff ff ff ff ff ff ff ff ff 01 20 09"));
});

test("a line of a channel comes back as it was", () => {
  const said = { channel: 1, player: 18446744073709551615n, name: "하나", text: "annyeong" };
  assert.deepEqual(readServerMessage(serverFrame({ said }).subarray(1)), { said });
});

test("an empty choice is still a choice", () => {
  assert.deepEqual(readClientMessage(cameraFrame(0, { island: 0, x_mm: 0, y_mm: 0, w_mm: 0, h_mm: 0 }).subarray(1)).request.camera,
    { island: 0, x_mm: 0, y_mm: 0, w_mm: 0, h_mm: 0 });
});

test("a welcome comes back as it was", () => {
  const welcome = {
    protocol: 1, limits: { frame_bytes_max: 65536, messages_per_s: 30, messages_burst: 60, bytes_per_s: 32768, silence_ms_max: 15000, say_bytes_max: 200 },
    world_ms: NOW, entity: (65535n << 48n) | 3n, player: 18446744073709551615n, session_epoch: 2n, last_seq: 0n,
    ticket: Uint8Array.of(1, 2, 255), island: 33, motion, gates: ["127.0.0.1:7777", "[::1]:1"],
    speeds: [{ look: 0, mm_per_s: 7000 }, { look: 1, mm_per_s: 45000 }],
  };
  assert.deepEqual(readServerMessage(serverFrame({ welcome }).subarray(1)), { welcome });
});

test("fields of a newer server are skipped", () => {
  // Pong{client_ms 7} with an unknown field of each wire type inside, and an unknown message beside it.
  const inside = "f8 3f 01" + "f9 3f 0102030405060708" + "fa 3f 02 aabb" + "fd 3f 01020304" + "08 07";
  const bytes = hex(inside);
  const frame = Uint8Array.from([0x2a, bytes.length, ...bytes, 0xfa, 0x3f, 0x00]);
  assert.deepEqual(readServerMessage(frame), { pong: { client_ms: 7, world_ms: 0 } });
});

test("malformed messages are refused, not believed", () => {
  const bad = ["2a", "2a 05 08", "2a 02 08 ff", "2a 0b 08 ff ff ff ff ff ff ff ff ff 02", "2f 00", "12 04 1a 02 1a 05"];
  for (const b of bad) assert.throws(() => readServerMessage(hex(b)), WireError, b);
});

test("every record of a batch comes back as it was", () => {
  const batch = new BatchWriter().island(7).motion(11n, 1, motion).leave(12n, 3, 65535).say(11n, "안녕 😀").forget(1, 2)
    .self(1, 4294967295, 13n, 0, motion).thing(14n, 1, -5, 6, [1, 2]).density(9, 480, [{ column: 1, row: 2, people: 3 }]).bytes();
  assert.deepEqual(decodeBatch(batch, NOW), [
    { kind: "island", island: 7 },
    { kind: "motion", entity: 11n, look: 1, motion },
    { kind: "leave", entity: 12n, cx: 3, cy: 65535 },
    { kind: "say", entity: 11n, text: "안녕 😀" },
    { kind: "forget", cx: 1, cy: 2 },
    { kind: "self", flags: 1, move_no: 4294967295, entity: 13n, look: 0, motion },
    { kind: "thing", entity: 14n, thing: 1, place: { x_mm: -5, y_mm: 6 }, attributes: Uint8Array.of(1, 2) },
    { kind: "density", island: 9, cell_m: 480, cells: [{ column: 1, row: 2, people: 3 }] },
  ]);
});

test("a range tells places within its chunk and speeds by its shift", () => {
  const batch = new BatchWriter().range(2, 3, 100n, 300n, NOW - 10, [
    { entity: 100n, look: 0, x: 5, y: 29999 },
    { entity: 250n, look: 1, shift: 3, x: 0, y: 1, vx: -2, vy: 127, lasts: 50 },
  ]).bytes();
  const [range] = decodeBatch(batch, NOW);
  assert.equal(range.at_ms, NOW - 10);
  assert.deepEqual(range.entries, [
    { entity: 100n, look: 0, motion: { x_mm: 60005, y_mm: 119999, vx: 0, vy: 0, since_ms: NOW - 10, lasts_ms: 0 } },
    // (16 << 3) mm/s = 128 mm/s a unit, that is 64 units of 2 mm/s
    { entity: 250n, look: 1, motion: { x_mm: 60000, y_mm: 90001, vx: -128, vy: 8128, since_ms: NOW - 10, lasts_ms: 2000 } },
  ]);
});

test("malformed batches are refused", () => {
  const whole = new BatchWriter().motion(11n, 0, motion).bytes();
  for (let cut = 1; cut < whole.length; cut++) assert.throws(() => decodeBatch(whole.subarray(0, cut), NOW), WireError);
  assert.throws(() => decodeBatch(hex("63"), NOW), WireError);
  const twice = new BatchWriter().range(0, 0, 1n, 9n, NOW, [{ entity: 3n, look: 0, x: 0, y: 0 }, { entity: 3n, look: 0, x: 0, y: 0 }]).bytes();
  assert.throws(() => decodeBatch(twice, NOW), WireError);
  const late = new BatchWriter().motion(11n, 0, { ...motion, lasts_ms: 10001 }).bytes();
  assert.throws(() => decodeBatch(late, NOW), WireError);
  assert.throws(() => decodeBatch(new BatchWriter().motion(0n, 0, motion).bytes(), NOW), WireError);
  for (const bad of [{ shift: 6 }, { x: 30000 }, { lasts: 251 }]) {
    const batch = new BatchWriter().range(0, 0, 1n, 9n, NOW, [{ entity: 3n, look: 0, x: 0, y: 0, ...bad }]).bytes();
    assert.throws(() => decodeBatch(batch, NOW), WireError, JSON.stringify(bad));
  }
  const outside = new BatchWriter().range(0, 0, 1n, 9n, NOW, [{ entity: 10n, look: 0, x: 0, y: 0 }]).bytes();
  assert.throws(() => decodeBatch(outside, NOW), WireError);
});

test("numbers of the reader and the writer agree, also where the store has to grow", () => {
  const w = new Writer();
  for (let i = 0; i < 400; i++) w.varint(1n << BigInt(i % 64));
  const r = new Reader(w.done());
  for (let i = 0; i < 400; i++) assert.equal(r.varint(), 1n << BigInt(i % 64));
  assert.equal(r.left, 0);
});

test("the closed list is that of the schema, with the texts of the server's own table", () => {
  const schema = readFileSync(new URL("../../proto/seom.proto", import.meta.url), "utf8");
  const body = schema.slice(schema.indexOf("enum Code {"));
  const codes = [...body.slice(0, body.indexOf("}")).matchAll(/^\s*([A-Z_]+) = (\d+);/gm)];
  assert.deepEqual(codes.map((c) => c[1]), [...CODES]);
  codes.forEach((c, i) => assert.equal(Number(c[2]), i));
  const table = readFileSync(new URL("../../src/wire/code.h", import.meta.url), "utf8").replaceAll(/\\\n\s*/g, "");
  const rows = [...table.matchAll(/X\((\w+),\s*"([^"]*)",\s*"([^"]*)"\)/g)].map((m) => m.slice(1));
  assert.deepEqual(rows, CODES.map((c) => [c, TEXTS.en.codes[c], TEXTS.ko.codes[c]]));
  assert.deepEqual(Object.keys(TEXTS.en).sort(), Object.keys(TEXTS.ko).sort());
});
