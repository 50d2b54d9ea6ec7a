// The cold messages of proto/seom.proto, as far as a page needs them.

import { decode, encode, type Message, type Table } from "./protobuf";
import type { Motion } from "./motion";

export const PROTOCOL_MIN = 1;
export const PROTOCOL_MAX = 1;
export const FRAME_MESSAGE = 0;
export const FRAME_BATCH = 1;

// The closed list; texts for people stand in page/texts.ts.
export const CODES = [
  "FINE", "MALFORMED", "TOO_LARGE", "UNKNOWN_MESSAGE", "TOO_FAST", "TOO_SLOW", "SILENT", "PROTOCOL", "BAD_TICKET",
  "REPLACED", "SERVER_STOPS", "FULL", "RETRY_AFTER", "CONFLICT", "NOT_FOUND", "REFUSED", "LEFT", "CLOSED", "UNREADABLE",
  "TOO_FAR", "NO_ROOM",
] as const;
export type Code = (typeof CODES)[number];

// A number of a newer server means: not now.
export function codeOf(number: number): Code {
  return CODES[number] ?? "RETRY_AFTER";
}

export interface Limits {
  frame_bytes_max: number;
  messages_per_s: number;
  messages_burst: number;
  bytes_per_s: number;
  silence_ms_max: number;
  say_bytes_max: number;
}

export interface Welcome {
  protocol: number;
  limits?: Limits;
  world_ms: number;
  entity: bigint;
  player: bigint;
  session_epoch: bigint;
  last_seq: bigint;
  ticket: Uint8Array;
  island: number;
  motion?: Motion;
  gates: string[];
  speeds: { look: number; mm_per_s: number }[];
}

export interface Hello {
  ticket?: Uint8Array;
  spectator?: boolean;
  island?: number;
  client: string;
}

export interface CameraWindow {
  island: number;
  x_mm: number;
  y_mm: number;
  w_mm: number;
  h_mm: number;
}

export interface Answer {
  number: number;
  code: number;
  look?: { entity: bigint; look: number; name: string };
  shown?: Uint8Array; // a view of wire/value.ts
}

export interface CommandResult {
  seq: bigint;
  code: number;
  body: Uint8Array;
}

export interface Goodbye {
  code: number;
  retry_after_ms: number;
  gates: string[];
}

// Somebody said it in a channel of the whole world.
export interface Said {
  channel: number;
  player: bigint;
  name: string;
  text: string;
}

// Exactly one of these is there, or none when the server is newer than the page.
export interface ServerMessage {
  welcome?: Welcome;
  answer?: Answer;
  result?: CommandResult;
  goodbye?: Goodbye;
  pong?: { client_ms: number; world_ms: number };
  changed?: { what: number };
  lobby?: { code: number; retry_after_ms: number };
  said?: Said;
}

const range: Table = { 1: { name: "min", type: "u32" }, 2: { name: "max", type: "u32" } };
const motion: Table = {
  1: { name: "x_mm", type: "s32" }, 2: { name: "y_mm", type: "s32" },
  3: { name: "vx", type: "s32" }, 4: { name: "vy", type: "s32" },
  5: { name: "since_ms", type: "i64" }, 6: { name: "lasts_ms", type: "u32" },
};
const hello: Table = {
  1: { name: "protocol", type: range }, 2: { name: "ticket", type: "bytes" }, 3: { name: "spectator", type: "bool" },
  4: { name: "island", type: "u32" }, 5: { name: "client", type: "string" },
};
const move: Table = { 1: { name: "move_no", type: "u32" }, 2: { name: "motion", type: motion }, 3: { name: "look", type: "u32" } };
const say: Table = { 1: { name: "text", type: "string" }, 2: { name: "channel", type: "u32" } };
const lookAt: Table = { 1: { name: "entity", type: "u64" } };
const camera: Table = {
  1: { name: "island", type: "u32" }, 2: { name: "x_mm", type: "i32" }, 3: { name: "y_mm", type: "i32" },
  4: { name: "w_mm", type: "u32" }, 5: { name: "h_mm", type: "u32" },
};
const show: Table = { 1: { name: "what", type: "u32" }, 2: { name: "id", type: "u64" } };
const request: Table = {
  1: { name: "number", type: "u32" }, 2: { name: "say", type: say, oneof: true },
  3: { name: "look", type: lookAt, oneof: true }, 4: { name: "camera", type: camera, oneof: true },
  5: { name: "show", type: show, oneof: true },
};
const command: Table = { 1: { name: "seq", type: "u64" }, 2: { name: "body", type: "bytes" } };
const ping: Table = { 1: { name: "client_ms", type: "i64" } };
const goodbye: Table = {
  1: { name: "code", type: "u32" }, 2: { name: "retry_after_ms", type: "u32" }, 3: { name: "gates", type: "string", repeated: true },
};
const clientMessage: Table = {
  1: { name: "hello", type: hello, oneof: true }, 2: { name: "move", type: move, oneof: true },
  3: { name: "request", type: request, oneof: true }, 4: { name: "command", type: command, oneof: true },
  5: { name: "goodbye", type: goodbye, oneof: true }, 6: { name: "ping", type: ping, oneof: true },
};

const limits: Table = {
  1: { name: "frame_bytes_max", type: "u32" }, 2: { name: "messages_per_s", type: "u32" }, 3: { name: "messages_burst", type: "u32" },
  4: { name: "bytes_per_s", type: "u32" }, 5: { name: "silence_ms_max", type: "u32" }, 6: { name: "say_bytes_max", type: "u32" },
};
const speed: Table = { 1: { name: "look", type: "u32" }, 2: { name: "mm_per_s", type: "u32" } };
const welcome: Table = {
  1: { name: "protocol", type: "u32" }, 2: { name: "limits", type: limits }, 3: { name: "world_ms", type: "i64" },
  4: { name: "entity", type: "u64" }, 5: { name: "player", type: "u64" }, 6: { name: "session_epoch", type: "u64" },
  7: { name: "last_seq", type: "u64" }, 8: { name: "ticket", type: "bytes" }, 9: { name: "island", type: "u32" },
  10: { name: "motion", type: motion }, 11: { name: "gates", type: "string", repeated: true },
  12: { name: "speeds", type: speed, repeated: true },
};
const look: Table = { 1: { name: "entity", type: "u64" }, 2: { name: "look", type: "u32" }, 3: { name: "name", type: "string" } };
const answer: Table = {
  1: { name: "number", type: "u32" }, 2: { name: "code", type: "u32" }, 3: { name: "look", type: look, oneof: true },
  4: { name: "shown", type: "bytes", oneof: true },
};
const result: Table = { 1: { name: "seq", type: "u64" }, 2: { name: "code", type: "u32" }, 3: { name: "body", type: "bytes" } };
const pong: Table = { 1: { name: "client_ms", type: "i64" }, 2: { name: "world_ms", type: "i64" } };
const changed: Table = { 1: { name: "what", type: "u32" } };
const lobby: Table = { 1: { name: "code", type: "u32" }, 2: { name: "retry_after_ms", type: "u32" } };
const said: Table = {
  1: { name: "channel", type: "u32" }, 2: { name: "player", type: "u64" }, 3: { name: "name", type: "string" },
  4: { name: "text", type: "string" },
};
const serverMessage: Table = {
  1: { name: "welcome", type: welcome, oneof: true }, 2: { name: "answer", type: answer, oneof: true },
  3: { name: "result", type: result, oneof: true }, 4: { name: "goodbye", type: goodbye, oneof: true },
  5: { name: "pong", type: pong, oneof: true }, 6: { name: "changed", type: changed, oneof: true },
  7: { name: "lobby", type: lobby, oneof: true }, 8: { name: "said", type: said, oneof: true },
};

function frame(table: Table, message: object): Uint8Array {
  const body = encode(table, message as Message);
  const out = new Uint8Array(body.length + 1);
  out[0] = FRAME_MESSAGE;
  out.set(body, 1);
  return out;
}

export function helloFrame(h: Hello): Uint8Array {
  return frame(clientMessage, { hello: { ...h, protocol: { min: PROTOCOL_MIN, max: PROTOCOL_MAX } } });
}

export function moveFrame(move_no: number, m: Motion, look: number): Uint8Array {
  return frame(clientMessage, { move: { move_no, motion: m, look } });
}

export const CHANNEL_NEAR = 0;
export const CHANNEL_WORLD = 1;

export function sayFrame(number: number, text: string, channel = CHANNEL_NEAR): Uint8Array {
  return frame(clientMessage, { request: { number, say: channel === CHANNEL_NEAR ? { text } : { text, channel } } });
}

export function lookFrame(number: number, entity: bigint): Uint8Array {
  return frame(clientMessage, { request: { number, look: { entity } } });
}

export function cameraFrame(number: number, window: CameraWindow): Uint8Array {
  return frame(clientMessage, { request: { number, camera: window } });
}

// what: the number of a view (wire/value.ts).
export function showFrame(number: number, what: number, id: bigint): Uint8Array {
  return frame(clientMessage, { request: { number, show: { what, id } } });
}

export function commandFrame(seq: bigint, body: Uint8Array): Uint8Array {
  return frame(clientMessage, { command: { seq, body } });
}

export function pingFrame(client_ms: number): Uint8Array {
  return frame(clientMessage, { ping: { client_ms: Math.trunc(client_ms) } });
}

export function goodbyeFrame(code: Code): Uint8Array {
  return frame(clientMessage, { goodbye: { code: CODES.indexOf(code) } });
}

// bytes: a frame of format FRAME_MESSAGE without its first byte.
export function readServerMessage(bytes: Uint8Array): ServerMessage {
  return decode(serverMessage, bytes) as unknown as ServerMessage;
}

// For the fake server and the tests: the same tables the other way round.
export function readClientMessage(bytes: Uint8Array): Message {
  return decode(clientMessage, bytes);
}

export function serverFrame(message: ServerMessage): Uint8Array {
  return frame(serverMessage, message);
}
