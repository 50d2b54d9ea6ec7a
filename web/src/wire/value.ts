// Things of value, as proto/value.proto has them: what a command asks for, what it answers, what can be looked at.

import { decode, encode, type Message, type Table } from "./protobuf";

export interface Stack {
  kind: number; // 0: an empty slot
  count: number;
  uid: bigint;
}

export interface Holdings {
  coins: number;
  slots: Stack[];
}

export interface Part {
  slot: number;
  count: number;
}

// Exactly one of these.
export type Deed =
  | { pick: { entity: bigint } }
  | { drop: Part }
  | { take: { entity: bigint } }
  | { eat: { slot: number } }
  | { craft: { kind: number } }
  | { sell: Part }
  | { buy: { kind: number; count: number } }
  | { build: { slot: number } }
  | { put_in: Part & { chest: bigint } }
  | { take_out: Part & { chest: bigint } }
  | { offer: { to: bigint; coins: number; parts: Part[]; wants: Holdings } }
  | { accept: { trade: bigint; hash: bigint } }
  | { withdraw: { trade: bigint } }
  | { send: { to: bigint; text: string; coins: number; parts: Part[] } }
  | { claim: { mail: bigint } };

export interface DeedResult {
  id: bigint;
  gained: Stack[];
  coins_gained: number;
  mail: bigint; // what found no room waits in this mail
}

export const NOTICE_MAIL = 1;
export const NOTICE_OFFER = 2;

export interface Notice {
  kind: number;
  id: bigint;
  from: bigint;
  day: number;
  from_name: string;
  holds: boolean;
}

export interface BagView {
  holds: Holdings;
  slots_max: number;
  trades: bigint[];
}
export interface ChestView {
  holds: Holdings;
  slots_max: number;
}
export interface InboxView {
  notices: Notice[];
}
export interface TradeView {
  from: bigint;
  to: bigint;
  gives: Holdings;
  wants: Holdings;
  hash: bigint;
}
export interface MailView {
  from: bigint;
  text: string;
  holds: Holdings;
  day: number;
}

// Coins stay far below 2^53 (COINS_MAX of the society), so they are plain numbers here.
const stack: Table = { 1: { name: "kind", type: "u32" }, 2: { name: "count", type: "u32" }, 3: { name: "uid", type: "u64" } };
const holdings: Table = { 1: { name: "coins", type: "i64" }, 2: { name: "slots", type: stack, repeated: true } };
const part: Table = { 1: { name: "slot", type: "u32" }, 2: { name: "count", type: "u32" } };
const entity: Table = { 1: { name: "entity", type: "u64" } };
const slot: Table = { 1: { name: "slot", type: "u32" } };
const kind: Table = { 1: { name: "kind", type: "u32" } };
const amount: Table = { 1: { name: "kind", type: "u32" }, 2: { name: "count", type: "u32" } };
const moved: Table = { 1: { name: "chest", type: "u64" }, 2: { name: "slot", type: "u32" }, 3: { name: "count", type: "u32" } };
const offer: Table = {
  1: { name: "to", type: "u64" }, 2: { name: "coins", type: "i64" }, 3: { name: "parts", type: part, repeated: true },
  4: { name: "wants", type: holdings },
};
const accept: Table = { 1: { name: "trade", type: "u64" }, 2: { name: "hash", type: "f64" } };
const withdraw: Table = { 1: { name: "trade", type: "u64" } };
const send: Table = {
  1: { name: "to", type: "u64" }, 2: { name: "text", type: "string" }, 3: { name: "coins", type: "i64" },
  4: { name: "parts", type: part, repeated: true },
};
const claim: Table = { 1: { name: "mail", type: "u64" } };
const deed: Table = {
  1: { name: "pick", type: entity }, 2: { name: "drop", type: part }, 3: { name: "take", type: entity }, 4: { name: "eat", type: slot },
  5: { name: "craft", type: kind }, 6: { name: "sell", type: part }, 7: { name: "buy", type: amount }, 8: { name: "build", type: slot },
  9: { name: "put_in", type: moved }, 10: { name: "take_out", type: moved }, 51: { name: "offer", type: offer },
  53: { name: "accept", type: accept }, 54: { name: "withdraw", type: withdraw }, 55: { name: "send", type: send },
  56: { name: "claim", type: claim },
};
const deedResult: Table = {
  1: { name: "id", type: "u64" }, 2: { name: "gained", type: stack, repeated: true }, 3: { name: "coins_gained", type: "i64" },
  4: { name: "mail", type: "u64" },
};

const bagView: Table = {
  1: { name: "holds", type: holdings }, 2: { name: "slots_max", type: "u32" }, 3: { name: "trades", type: "u64", repeated: true },
};
const chestView: Table = { 1: { name: "holds", type: holdings }, 2: { name: "slots_max", type: "u32" } };
const notice: Table = {
  1: { name: "kind", type: "u32" }, 2: { name: "id", type: "u64" }, 3: { name: "from", type: "u64" }, 4: { name: "day", type: "u32" },
  5: { name: "from_name", type: "string" }, 6: { name: "holds", type: "bool" },
};
const inboxView: Table = { 1: { name: "notices", type: notice, repeated: true } };
const tradeView: Table = {
  1: { name: "from", type: "u64" }, 2: { name: "to", type: "u64" }, 3: { name: "gives", type: holdings }, 4: { name: "wants", type: holdings },
  5: { name: "hash", type: "f64" },
};
const mailView: Table = {
  1: { name: "from", type: "u64" }, 2: { name: "text", type: "string" }, 3: { name: "holds", type: holdings }, 4: { name: "day", type: "u32" },
};

export interface Views {
  bag: BagView;
  inbox: InboxView;
  chest: ChestView;
  trade: TradeView;
  mail: MailView;
}
export type ViewName = keyof Views;

// The numbers of ShowKind, and what each view always has, even when the server had nothing to say about it.
const VIEWS: { [name in ViewName]: { number: number; table: Table; holds: string[] } } = {
  bag: { number: 1, table: bagView, holds: ["holds"] },
  inbox: { number: 2, table: inboxView, holds: [] },
  chest: { number: 3, table: chestView, holds: ["holds"] },
  trade: { number: 4, table: tradeView, holds: ["gives", "wants"] },
  mail: { number: 5, table: mailView, holds: ["holds"] },
};

export function viewNumber(name: ViewName): number {
  return VIEWS[name].number;
}

export function viewOf(number: number): ViewName | undefined {
  return (Object.keys(VIEWS) as ViewName[]).find((name) => VIEWS[name].number === number);
}

export function deedBytes(d: Deed): Uint8Array {
  return encode(deed, d as unknown as Message);
}

export function readDeedResult(bytes: Uint8Array): DeedResult {
  return decode(deedResult, bytes) as unknown as DeedResult;
}

export function readView<N extends ViewName>(name: N, bytes: Uint8Array): Views[N] {
  const view = decode(VIEWS[name].table, bytes);
  for (const field of VIEWS[name].holds) view[field] ??= { coins: 0, slots: [] };
  return view as unknown as Views[N];
}

// For the tests: the same tables the other way round.
export function readDeed(bytes: Uint8Array): Message {
  return decode(deed, bytes);
}

export function viewBytes<N extends ViewName>(name: N, view: Views[N]): Uint8Array {
  return encode(VIEWS[name].table, view as unknown as Message);
}

export function deedResultBytes(result: DeedResult): Uint8Array {
  return encode(deedResult, result as unknown as Message);
}
