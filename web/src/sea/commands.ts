// Commands of value, exactly once by (player, seq): one in flight, sent again unchanged until it is answered, after a break
// of the line as well as when the server asks for patience. A few more may wait behind it; each gets its number when its
// turn comes.
//
//   closed (no session)  -- welcome -->  idle  -- do -->  flying  -- answer -->  idle
//                                                         flying  -- RETRY_AFTER -->  pausing  -- time -->  flying

import { codeOf, type Code } from "../wire/messages";
import type { DeedResult } from "../wire/value";

export const COMMANDS_MAX = 4; // the one in flight included
const PAUSE_MS_MIN = 500;      // drawn between half of a pause that doubles and all of it
const PAUSE_MS_MAX = 8000;

export interface Outcome {
  code: Code;
  result: DeedResult;
}

export interface CommandPort {
  send(seq: bigint, body: Uint8Array): void; // lost when the line is down: the next welcome sends again
  later(ms: number, act: () => void): void;
  chance(): number;
}

interface Waiting {
  body: Uint8Array;
  done: (outcome: Outcome) => void;
}

const NO_RESULT: DeedResult = { id: 0n, gained: [], coins_gained: 0, mail: 0n };

// Nothing was done and the number is still free.
const UNUSED: readonly Code[] = ["CLOSED", "UNREADABLE"];

export class Commands {
  state: "closed" | "idle" | "flying" | "pausing" = "closed";
  version = 0; // grows whenever something began or ended
  private readonly queue: Waiting[] = [];
  private player = 0n;
  private last_seq = 0n; // the last number that was used up
  private numbered = false; // the first of the queue was sent as last_seq + 1
  private pauses = 0;
  private sends = 0; // an old timer must not send again what was answered meanwhile

  constructor(private readonly port: CommandPort) {}

  get busy(): boolean {
    return this.queue.length > 0;
  }

  get seq(): bigint {
    return this.last_seq;
  }

  // False: too many wait already, nothing was taken over.
  do(body: Uint8Array, done: (outcome: Outcome) => void): boolean {
    if (this.queue.length >= COMMANDS_MAX) return false;
    this.queue.push({ body, done });
    this.version += 1;
    this.next();
    return true;
  }

  // last_seq: the last command that the player's document knows.
  welcomed(player: bigint, last_seq: bigint): void {
    const same = player === this.player;
    this.player = player;
    this.state = "idle";
    if (!same) {
      this.last_seq = last_seq;
      while (this.queue.length > 0) this.settle({ code: "LEFT", result: NO_RESULT });
      return;
    }
    const seq = this.last_seq + 1n;
    if (this.numbered && (last_seq === seq || last_seq === seq - 1n)) return this.fly();
    this.last_seq = last_seq;
    // Another window of this player counted on: what became of the first is not known here.
    if (this.numbered) this.settle({ code: "CONFLICT", result: NO_RESULT });
    this.next();
  }

  // The session is over, for now or for good.
  lost(): void {
    this.state = "closed";
    this.sends += 1;
  }

  answered(seq: bigint, number: number, result: DeedResult): void {
    if (this.state === "closed" || !this.numbered || seq !== this.last_seq + 1n) return; // of a repetition
    const code = codeOf(number);
    if (code === "RETRY_AFTER") return this.pause();
    if (code === "REPLACED") this.state = "closed"; // the next welcome tells the number
    else {
      this.state = "idle";
      if (!UNUSED.includes(code)) this.last_seq = seq;
    }
    this.settle({ code, result });
    this.next();
  }

  private next(): void {
    if (this.state === "idle" && this.queue.length > 0) this.fly();
  }

  private fly(): void {
    this.state = "flying";
    this.numbered = true;
    this.sends += 1;
    this.port.send(this.last_seq + 1n, this.queue[0]!.body);
  }

  private pause(): void {
    const most_ms = Math.min(PAUSE_MS_MIN * 2 ** this.pauses, PAUSE_MS_MAX);
    this.pauses = Math.min(this.pauses + 1, 10);
    this.state = "pausing";
    this.version += 1;
    const sends = this.sends;
    this.port.later(most_ms * (0.5 + this.port.chance() / 2), () => {
      if (this.state === "pausing" && sends === this.sends) this.fly();
    });
  }

  private settle(outcome: Outcome): void {
    const first = this.queue.shift()!;
    this.numbered = false;
    this.pauses = 0;
    this.version += 1;
    first.done(outcome);
  }
}

