// Little-endian reader and writer. A reader that runs past its end throws WireError: whoever sent it is cut.

export class WireError extends Error {}

export class Reader {
  private at = 0;
  private readonly view: DataView;

  constructor(readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  private take(count: number): number {
    if (count > this.left) throw new WireError("ends too early");
    const at = this.at;
    this.at += count;
    return at;
  }

  u8(): number { return this.view.getUint8(this.take(1)); }
  i8(): number { return this.view.getInt8(this.take(1)); }
  u16(): number { return this.view.getUint16(this.take(2), true); }
  i16(): number { return this.view.getInt16(this.take(2), true); }
  u32(): number { return this.view.getUint32(this.take(4), true); }
  i32(): number { return this.view.getInt32(this.take(4), true); }
  u64(): bigint { return this.view.getBigUint64(this.take(8), true); }

  // LEB128 of at most 10 bytes.
  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.u8();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (value > 0xffffffffffffffffn || (byte === 0 && shift > 0n)) throw new WireError("overlong number");
        return value;
      }
    }
    throw new WireError("overlong number");
  }

  // A view, not a copy.
  slice(count: number): Uint8Array {
    const at = this.take(count);
    return this.bytes.subarray(at, at + count);
  }
}

export class Writer {
  private store = new Uint8Array(256);
  private view = new DataView(this.store.buffer);
  private used = 0;

  // May move the store: call it before touching view or store.
  private room(count: number): number {
    if (this.used + count > this.store.length) {
      const larger = new Uint8Array(Math.max(this.store.length * 2, this.used + count));
      larger.set(this.store);
      this.store = larger;
      this.view = new DataView(larger.buffer);
    }
    const at = this.used;
    this.used += count;
    return at;
  }

  u8(v: number): void { const at = this.room(1); this.view.setUint8(at, v); }
  i8(v: number): void { const at = this.room(1); this.view.setInt8(at, v); }
  u16(v: number): void { const at = this.room(2); this.view.setUint16(at, v, true); }
  i16(v: number): void { const at = this.room(2); this.view.setInt16(at, v, true); }
  u32(v: number): void { const at = this.room(4); this.view.setUint32(at, v, true); }
  i32(v: number): void { const at = this.room(4); this.view.setInt32(at, v, true); }
  u64(v: bigint): void { const at = this.room(8); this.view.setBigUint64(at, v, true); }

  varint(v: bigint): void {
    let rest = BigInt.asUintN(64, v);
    while (rest > 0x7fn) {
      this.u8(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    this.u8(Number(rest));
  }

  bytes(v: Uint8Array): void {
    const at = this.room(v.length);
    this.store.set(v, at);
  }

  done(): Uint8Array {
    return this.store.slice(0, this.used);
  }
}
