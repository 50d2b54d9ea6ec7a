// The player's side: one avatar, brought back by its ticket, what it sees around itself, what it owns and does.

import type { Record as WireRecord } from "../wire/batch";
import {
  CHANNEL_NEAR, codeOf, commandFrame, lookFrame, moveFrame, sayFrame, showFrame, type Answer, type Code, type Limits, type Said,
  type Welcome,
} from "../wire/messages";
import { deedBytes, readDeedResult, viewNumber, type Deed } from "../wire/value";
import { Avatar } from "./avatar";
import { Belongings } from "./belongings";
import { Commands, type Outcome } from "./commands";
import type { Gates } from "./gates";
import { Line, type Ending } from "./line";
import { Replica } from "./replica";

const SPEED_MM_S: { [look: number]: number } = { 0: 5000, 1: 20000 }; // comfortable; the server's limits stand above
const SAY_BYTES_MAX = 200;
const NAMES_MAX = 512;

export interface TicketBox {
  read(): Uint8Array | undefined;
  keep(ticket: Uint8Array): void;
  forget(): void;
}

export interface PlayEvents {
  arrived(island: number): void; // has an avatar now, also after every reconnect
  said(entity: bigint, text: string): void;
  line(said: Said, own: boolean): void; // of a channel of the whole world
  refused(code: Code): void;     // of what was said
  ended(ending: Ending): void;
}

export class Play {
  readonly line: Line;
  readonly replica = new Replica();
  avatar: Avatar | undefined;
  island = 0;
  limits: Limits | undefined;
  readonly commands: Commands;
  readonly belongings: Belongings;
  private readonly names = new Map<bigint, string>();
  private number = 0;
  private player = 0n;
  private speeds = new Map<number, number>();

  // wish: where a new guest would like to go ashore, 0 = wherever.
  constructor(gates: Gates, private readonly tickets: TicketBox, wish: () => number, private readonly events: PlayEvents) {
    this.line = new Line({
      gates,
      hello: () => {
        const ticket = this.tickets.read();
        return ticket === undefined ? { client: "page", island: wish() } : { client: "page", ticket };
      },
      events: {
        welcome: (w) => this.welcomed(w),
        record: (record, now_ms) => this.record(record, now_ms),
        answer: (a) => this.answered(a),
        result: (r) => this.commands.answered(r.seq, r.code, readDeedResult(r.body)),
        changed: (what) => this.belongings.changed(what),
        line: (said) => this.events.line(said, said.player === this.player),
        ended: (ending) => {
          this.commands.lost();
          if (ending.code === "BAD_TICKET") this.tickets.forget();
          this.events.ended(ending);
        },
      },
    });
    this.commands = new Commands({
      send: (seq, body) => void this.line.send(commandFrame(seq, body)),
      later: (ms, act) => void setTimeout(act, ms),
      chance: () => Math.random(),
    });
    this.belongings = new Belongings({
      ask: (name, id) => (this.line.send(showFrame(++this.number, viewNumber(name), id)) ? this.number : undefined),
    });
  }

  // False: too much is under way already.
  do(deed: Deed, done: (outcome: Outcome) => void): boolean {
    return this.commands.do(deedBytes(deed), (outcome) => {
      this.belongings.stale();
      done(outcome);
    });
  }

  // What somebody is called, "" as long as that is not known; asking once is enough.
  nameOf(person: bigint): string {
    const known = this.names.get(person);
    if (known !== undefined) return known;
    if (this.names.size >= NAMES_MAX) this.names.clear();
    if (this.line.send(lookFrame(++this.number, person))) this.names.set(person, "");
    return "";
  }

  // From a notice: the sender may be far away.
  named(person: bigint, name: string): void {
    if (name !== "" && (this.names.has(person) || this.names.size < NAMES_MAX)) this.names.set(person, name);
  }

  get sayBytesMax(): number {
    return this.limits?.say_bytes_max || SAY_BYTES_MAX;
  }

  // False: not connected; the text is still the caller's.
  say(text: string, channel = CHANNEL_NEAR): boolean {
    return this.line.send(sayFrame(++this.number, text, channel));
  }

  private speed(look: number): number {
    const limit = this.speeds.get(look);
    const wish = SPEED_MM_S[look] ?? 0;
    return limit === undefined ? wish : Math.min(limit, wish);
  }

  private welcomed(w: Welcome): void {
    if (w.ticket.length > 0) this.tickets.keep(w.ticket);
    this.limits = w.limits;
    if (w.player !== this.player) this.belongings.forget();
    this.player = w.player;
    this.commands.welcomed(w.player, w.last_seq);
    this.belongings.welcomed();
    this.island = w.island;
    this.speeds = new Map(w.speeds.map((s) => [s.look, s.mm_per_s]));
    this.replica.clear();
    this.replica.own = w.entity;
    const motion = w.motion ?? { x_mm: 0, y_mm: 0, vx: 0, vy: 0, since_ms: w.world_ms, lasts_ms: 0 };
    const port = { send: (no: number, m: typeof motion, look: number) => void this.line.send(moveFrame(no, m, look)) };
    this.avatar = new Avatar(w.entity, motion, port, (look) => this.speed(look));
    this.events.arrived(w.island);
  }

  private answered(answer: Answer): void {
    if (this.belongings.answered(answer, performance.now())) return;
    if (answer.look !== undefined) {
      this.named(answer.look.entity, answer.look.name);
      this.belongings.version += 1;
      return;
    }
    // Who is that? Gone, which is no news to anybody. The rest was said.
    const code = codeOf(answer.code);
    if (code !== "FINE" && code !== "NOT_FOUND") this.events.refused(code);
  }

  private record(record: WireRecord, now_ms: number): void {
    if (record.kind === "self") this.avatar?.told(record.flags, record.move_no, record, now_ms);
    else if (record.kind === "say") this.events.said(record.entity, record.text);
    else {
      this.replica.apply(record, now_ms);
      if (record.kind === "island") this.island = record.island;
    }
  }
}

// Cuts text to so many bytes of UTF-8 without splitting a character.
export function cutToBytes(text: string, bytes_max: number): string {
  const encoder = new TextEncoder();
  let used = 0;
  let out = "";
  for (const character of text) {
    used += encoder.encode(character).length;
    if (used > bytes_max) break;
    out += character;
  }
  return out;
}
