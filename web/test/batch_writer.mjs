// Writes batches, format 1, for the fake server and the tests; the page itself only reads them.

import { Writer } from "../build/modules.mjs";

const utf8 = new TextEncoder();

function moving(w, entity, look, m) {
  w.u64(entity);
  w.u8(look);
  w.i32(m.x_mm);
  w.i32(m.y_mm);
  w.i16(m.vx);
  w.i16(m.vy);
  w.u32(Number(BigInt.asUintN(32, BigInt(Math.trunc(m.since_ms)))));
  w.u16(m.lasts_ms);
}

export class BatchWriter {
  constructor() {
    this.w = new Writer();
  }

  motion(entity, look, m) {
    this.w.u8(1);
    moving(this.w, entity, look, m);
    return this;
  }

  leave(entity, cx, cy) {
    this.w.u8(2);
    this.w.u64(entity);
    this.w.u16(cx);
    this.w.u16(cy);
    return this;
  }

  say(entity, text) {
    const bytes = utf8.encode(text);
    this.w.u8(3);
    this.w.u64(entity);
    this.w.u8(bytes.length);
    this.w.bytes(bytes);
    return this;
  }

  forget(cx, cy) {
    this.w.u8(4);
    this.w.u16(cx);
    this.w.u16(cy);
    return this;
  }

  // entries: [{entity, look, shift, x, y, vx, vy, lasts}] as they stand in the bytes.
  range(cx, cy, first, last, at_ms, entries) {
    this.w.u8(5);
    this.w.u16(cx);
    this.w.u16(cy);
    this.w.u64(first);
    this.w.u64(last);
    this.w.u32(Number(BigInt.asUintN(32, BigInt(at_ms))));
    this.w.u16(entries.length);
    let previous = first;
    for (const e of entries) {
      this.w.varint(e.entity - previous);
      previous = e.entity;
      this.w.u8(e.look | ((e.shift ?? 0) << 4));
      this.w.u16(e.x);
      this.w.u16(e.y);
      this.w.i8(e.vx ?? 0);
      this.w.i8(e.vy ?? 0);
      this.w.u8(e.lasts ?? 0);
    }
    return this;
  }

  self(flags, move_no, entity, look, m) {
    this.w.u8(6);
    this.w.u8(flags);
    this.w.u32(move_no);
    moving(this.w, entity, look, m);
    return this;
  }

  thing(entity, kind, x_mm, y_mm, attributes) {
    this.w.u8(7);
    this.w.u64(entity);
    this.w.u8(kind);
    this.w.i32(x_mm);
    this.w.i32(y_mm);
    this.w.u8(attributes.length);
    this.w.bytes(Uint8Array.from(attributes));
    return this;
  }

  density(island, cell_m, cells) {
    this.w.u8(8);
    this.w.u32(island);
    this.w.u16(cell_m);
    this.w.u16(cells.length);
    for (const c of cells) {
      this.w.u16(c.column);
      this.w.u16(c.row);
      this.w.u16(c.people);
    }
    return this;
  }

  island(island) {
    this.w.u8(9);
    this.w.u32(island);
    return this;
  }

  bytes() {
    return this.w.done();
  }

  frame() {
    return Uint8Array.from([1, ...this.w.done()]);
  }
}
