// The batch, format 1, as src/wire/batch.h and docs/protocol.md describe it.

import { Reader, WireError } from "./bytes";
import { CHUNK_MM, MOTION_LASTS_MS_MAX, nearestTime, type Motion, type Place } from "./motion";

export const LOOK_WALKER = 0;
export const LOOK_RIDER = 1;
export const LOOK_ANIMAL = 2;
const LOOK_KIND_MASK = 15;
const ATTRIBUTES_MAX = 64;
const SAY_BYTES_MAX = 200;
const DENSITY_CELLS_MAX = 2048;
const RANGE_SHIFT_MAX = 5;
const RANGE_LASTS_UNIT_MS = 40;

export const SELF_CORRECTED = 1;
export const SELF_MOVED = 2;

export interface Moving {
  entity: bigint;
  look: number;
  motion: Motion;
}

export interface DensityCell {
  column: number;
  row: number;
  people: number;
}

export type Record =
  | ({ kind: "motion" } & Moving)
  | { kind: "leave"; entity: bigint; cx: number; cy: number }
  | { kind: "say"; entity: bigint; text: string }
  | { kind: "forget"; cx: number; cy: number }
  | { kind: "range"; cx: number; cy: number; first: bigint; last: bigint; at_ms: number; entries: Moving[] }
  | ({ kind: "self"; flags: number; move_no: number } & Moving)
  | { kind: "thing"; entity: bigint; thing: number; place: Place; attributes: Uint8Array }
  | { kind: "density"; island: number; cell_m: number; cells: DensityCell[] }
  | { kind: "island"; island: number };

const utf8 = new TextDecoder("utf-8"); // what is no UTF-8 is shown as such, it is only text

function readEntity(r: Reader): bigint {
  const entity = r.u64();
  if (entity === 0n) throw new WireError("entity 0");
  return entity;
}

function readMoving(r: Reader, near_ms: number): Moving {
  const entity = readEntity(r);
  const look = r.u8();
  const x_mm = r.i32();
  const y_mm = r.i32();
  const vx = r.i16();
  const vy = r.i16();
  const since_ms = nearestTime(r.u32(), near_ms);
  const lasts_ms = r.u16();
  if (lasts_ms > MOTION_LASTS_MS_MAX) throw new WireError("a motion lasts too long");
  return { entity, look, motion: { x_mm, y_mm, vx, vy, since_ms, lasts_ms } };
}

function readRangeEntries(r: Reader, cx: number, cy: number, first: bigint, last: bigint, at_ms: number): Moving[] {
  const count = r.u16();
  const entries: Moving[] = [];
  let entity = first;
  for (let i = 0; i < count; i++) {
    const step = r.varint();
    if (i > 0 && step === 0n) throw new WireError("range out of order");
    entity += step;
    if (entity > last) throw new WireError("range outside its bounds");
    const look = r.u8();
    const shift = look >> 4;
    const x = r.u16();
    const y = r.u16();
    const unit = 8 << shift; // (16 << s) mm/s in units of 2 mm/s
    const vx = r.i8() * unit;
    const vy = r.i8() * unit;
    const lasts_ms = r.u8() * RANGE_LASTS_UNIT_MS;
    if (shift > RANGE_SHIFT_MAX || x >= CHUNK_MM || y >= CHUNK_MM || lasts_ms > MOTION_LASTS_MS_MAX) throw new WireError("range entry");
    const x_mm = cx * CHUNK_MM + x;
    const y_mm = cy * CHUNK_MM + y;
    entries.push({ entity, look: look & LOOK_KIND_MASK, motion: { x_mm, y_mm, vx, vy, since_ms: at_ms, lasts_ms } });
  }
  return entries;
}

function readRange(r: Reader, near_ms: number): Record {
  const cx = r.u16();
  const cy = r.u16();
  const first = r.u64();
  const last = r.u64();
  const at_ms = nearestTime(r.u32(), near_ms);
  return { kind: "range", cx, cy, first, last, at_ms, entries: readRangeEntries(r, cx, cy, first, last, at_ms) };
}

function readDensity(r: Reader): Record {
  const island = r.u32();
  const cell_m = r.u16();
  const count = r.u16();
  if (cell_m === 0 || count > DENSITY_CELLS_MAX) throw new WireError("density");
  const cells: DensityCell[] = [];
  for (let i = 0; i < count; i++) cells.push({ column: r.u16(), row: r.u16(), people: r.u16() });
  return { kind: "density", island, cell_m, cells };
}

function readThing(r: Reader): Record {
  const entity = r.u64();
  const thing = r.u8();
  const place = { x_mm: r.i32(), y_mm: r.i32() };
  const bytes = r.u8();
  if (bytes > ATTRIBUTES_MAX) throw new WireError("too many attributes");
  return { kind: "thing", entity, thing, place, attributes: r.slice(bytes).slice() };
}

function readSay(r: Reader): Record {
  const entity = r.u64();
  const bytes = r.u8();
  if (bytes > SAY_BYTES_MAX) throw new WireError("too much said");
  return { kind: "say", entity, text: utf8.decode(r.slice(bytes)) };
}

function readRecord(r: Reader, near_ms: number): Record {
  const kind = r.u8();
  switch (kind) {
    case 1: return { kind: "motion", ...readMoving(r, near_ms) };
    case 2: return { kind: "leave", entity: readEntity(r), cx: r.u16(), cy: r.u16() };
    case 3: return readSay(r);
    case 4: return { kind: "forget", cx: r.u16(), cy: r.u16() };
    case 5: return readRange(r, near_ms);
    case 6: return { kind: "self", flags: r.u8(), move_no: r.u32(), ...readMoving(r, near_ms) };
    case 7: return readThing(r);
    case 8: return readDensity(r);
    case 9: return { kind: "island", island: r.u32() };
    default: throw new WireError(`unknown record ${kind}`);
  }
}

// near_ms: the reader's world time, to complete the times told by their low 32 bits.
export function decodeBatch(bytes: Uint8Array, near_ms: number): Record[] {
  const r = new Reader(bytes);
  const records: Record[] = [];
  while (r.left > 0) records.push(readRecord(r, near_ms));
  return records;
}
