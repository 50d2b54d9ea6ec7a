// The player's side: one avatar, brought back by its ticket, and what it sees around itself.

import type { Record as WireRecord } from "../wire/batch";
import { codeOf, moveFrame, sayFrame, type Code, type Limits, type Welcome } from "../wire/messages";
import { Avatar } from "./avatar";
import { Line, type Ending } from "./line";
import { Replica } from "./replica";

const SPEED_MM_S: { [look: number]: number } = { 0: 5000, 1: 20000 }; // comfortable; the server's limits stand above
const SAY_BYTES_MAX = 200;

export interface TicketBox {
  read(): Uint8Array | undefined;
  keep(ticket: Uint8Array): void;
  forget(): void;
}

export interface PlayEvents {
  arrived(island: number): void; // has an avatar now, also after every reconnect
  said(entity: bigint, text: string): void;
  refused(code: Code): void;     // of what was said
  ended(ending: Ending): void;
}

export class Play {
  readonly line: Line;
  readonly replica = new Replica();
  avatar: Avatar | undefined;
  island = 0;
  limits: Limits | undefined;
  private number = 0;
  private speeds = new Map<number, number>();

  // wish: where a new guest would like to go ashore, 0 = wherever.
  constructor(url: string, private readonly tickets: TicketBox, wish: () => number, private readonly events: PlayEvents) {
    this.line = new Line({
      url,
      hello: () => {
        const ticket = this.tickets.read();
        return ticket === undefined ? { client: "page", island: wish() } : { client: "page", ticket };
      },
      events: {
        welcome: (w) => this.welcomed(w),
        record: (record, now_ms) => this.record(record, now_ms),
        answer: (a) => {
          const code = codeOf(a.code);
          if (code !== "FINE") this.events.refused(code);
        },
        ended: (ending) => {
          if (ending.code === "BAD_TICKET") this.tickets.forget();
          this.events.ended(ending);
        },
      },
    });
  }

  get sayBytesMax(): number {
    return this.limits?.say_bytes_max || SAY_BYTES_MAX;
  }

  // False: not connected; the text is still the caller's.
  say(text: string): boolean {
    return this.line.send(sayFrame(++this.number, text));
  }

  private speed(look: number): number {
    const limit = this.speeds.get(look);
    const wish = SPEED_MM_S[look] ?? 0;
    return limit === undefined ? wish : Math.min(limit, wish);
  }

  private welcomed(w: Welcome): void {
    if (w.ticket.length > 0) this.tickets.keep(w.ticket);
    this.limits = w.limits;
    this.island = w.island;
    this.speeds = new Map(w.speeds.map((s) => [s.look, s.mm_per_s]));
    this.replica.clear();
    this.replica.own = w.entity;
    const motion = w.motion ?? { x_mm: 0, y_mm: 0, vx: 0, vy: 0, since_ms: w.world_ms, lasts_ms: 0 };
    const port = { send: (no: number, m: typeof motion, look: number) => void this.line.send(moveFrame(no, m, look)) };
    this.avatar = new Avatar(w.entity, motion, port, (look) => this.speed(look));
    this.events.arrived(w.island);
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
