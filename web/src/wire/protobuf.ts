// Just enough of proto3 for proto/seom.proto: a message is a table of fields, values are plain objects.
// Unknown fields are skipped, as proto3 wants, so that an older page understands a newer server.

import { Reader, WireError, Writer } from "./bytes";

// i64 are times in ms and coins and fit a number; u64 are ids and f64 (fixed64) hashes: they stay bigint.
export type Scalar = "u32" | "i32" | "s32" | "u64" | "i64" | "f64" | "bool" | "string" | "bytes";

export interface Field {
  name: string;
  type: Scalar | Table;
  repeated?: boolean;
  oneof?: boolean; // has presence: left undefined when absent
}

export interface Table {
  [number: number]: Field;
}

type Value = number | bigint | boolean | string | Uint8Array | Message;
export interface Message {
  [name: string]: Value | Value[] | undefined;
}

const WIRE_VARINT = 0;
const WIRE_FIXED64 = 1;
const WIRE_BYTES = 2;
const WIRE_FIXED32 = 5;
const DEPTH_MAX = 8;

const utf8 = new TextEncoder();
const utf8Strict = new TextDecoder("utf-8", { fatal: true });

function isTable(type: Scalar | Table): type is Table {
  return typeof type === "object";
}

function wireType(type: Scalar | Table): number {
  if (type === "f64") return WIRE_FIXED64;
  return isTable(type) || type === "string" || type === "bytes" ? WIRE_BYTES : WIRE_VARINT;
}

function isDefault(value: Value): boolean {
  return value === 0 || value === 0n || value === false || value === "" || (value instanceof Uint8Array && value.length === 0);
}

function writeChunk(out: Writer, bytes: Uint8Array): void {
  out.varint(BigInt(bytes.length));
  out.bytes(bytes);
}

function writeValue(out: Writer, type: Scalar | Table, value: Value): void {
  if (isTable(type)) return writeChunk(out, encode(type, value as Message));
  switch (type) {
    case "string": return writeChunk(out, utf8.encode(value as string));
    case "bytes": return writeChunk(out, value as Uint8Array);
    case "bool": return out.varint(value ? 1n : 0n);
    case "u64": return out.varint(value as bigint);
    case "f64": return out.u64(value as bigint);
    case "s32": {
      const n = value as number;
      return out.varint(BigInt(((n << 1) ^ (n >> 31)) >>> 0));
    }
    default: return out.varint(BigInt(value as number));
  }
}

export function encode(table: Table, message: Message): Uint8Array {
  const out = new Writer();
  for (const [number, field] of Object.entries(table) as [string, Field][]) {
    const value = message[field.name];
    if (value === undefined) continue;
    const list = Array.isArray(value) ? value : [value];
    for (const one of list) {
      // Messages have presence; other values are told only when they say something, unless a choice or a list tells.
      if (!field.repeated && !field.oneof && !isTable(field.type) && isDefault(one)) continue;
      out.varint(BigInt((Number(number) << 3) | wireType(field.type)));
      writeValue(out, field.type, one);
    }
  }
  return out.done();
}

function defaultOf(type: Scalar): Value {
  switch (type) {
    case "string": return "";
    case "bytes": return new Uint8Array(0);
    case "bool": return false;
    case "u64":
    case "f64": return 0n;
    default: return 0;
  }
}

function readChunk(r: Reader): Uint8Array {
  const bytes = r.varint();
  if (bytes > BigInt(r.left)) throw new WireError("ends too early");
  return r.slice(Number(bytes));
}

// proto3 allows longer varints than the batch does, e.g. ten bytes for a negative int32; the reader bounds both.
function readValue(r: Reader, type: Scalar | Table, depth: number): Value {
  if (isTable(type)) return decodeAt(type, readChunk(r), depth + 1);
  switch (type) {
    case "string": {
      const bytes = readChunk(r);
      try {
        return utf8Strict.decode(bytes);
      } catch {
        throw new WireError("not UTF-8");
      }
    }
    case "bytes": return readChunk(r).slice();
    case "bool": return r.varint() !== 0n;
    case "u64": return r.varint();
    case "f64": return r.u64();
    case "i64": return Number(BigInt.asIntN(64, r.varint()));
    case "u32": return Number(BigInt.asUintN(32, r.varint()));
    case "i32": return Number(BigInt.asIntN(32, r.varint()));
    case "s32": {
      const n = Number(BigInt.asUintN(32, r.varint()));
      return (n >>> 1) ^ -(n & 1);
    }
  }
}

function skip(r: Reader, wire: number): void {
  if (wire === WIRE_VARINT) r.varint();
  else if (wire === WIRE_FIXED64) r.slice(8);
  else if (wire === WIRE_BYTES) readChunk(r);
  else if (wire === WIRE_FIXED32) r.slice(4);
  else throw new WireError("unknown wire type");
}

function decodeAt(table: Table, bytes: Uint8Array, depth: number): Message {
  if (depth > DEPTH_MAX) throw new WireError("nested too deep");
  const message: Message = {};
  for (const field of Object.values(table) as Field[]) {
    if (field.repeated) message[field.name] = [];
    else if (!isTable(field.type) && !field.oneof) message[field.name] = defaultOf(field.type);
  }
  const r = new Reader(bytes);
  while (r.left > 0) {
    const key = Number(r.varint());
    const field = table[key >>> 3];
    const wire = key & 7;
    if (field?.repeated && field.type === "u64" && wire === WIRE_BYTES) {
      // proto3 packs repeated numbers.
      const packed = new Reader(readChunk(r));
      while (packed.left > 0) (message[field.name] as Value[]).push(packed.varint());
      continue;
    }
    if (field === undefined || wire !== wireType(field.type)) {
      skip(r, wire);
      continue;
    }
    const value = readValue(r, field.type, depth);
    if (field.repeated) (message[field.name] as Value[]).push(value);
    else message[field.name] = value;
  }
  return message;
}

export function decode(table: Table, bytes: Uint8Array): Message {
  return decodeAt(table, bytes, 0);
}
