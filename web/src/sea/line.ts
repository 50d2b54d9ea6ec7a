// A line to a gate: one WebSocket after another. It says hello, keeps the line awake, measures world time, hands on what
// comes, and after a break waits with jitter, never shorter than the server asked for. In the lobby (the session is over, the
// connection is not) it stays connected and says hello again when it may.

import { decodeBatch, type Record as WireRecord } from "../wire/batch";
import { WireError } from "../wire/bytes";
import {
  codeOf, FRAME_BATCH, FRAME_MESSAGE, goodbyeFrame, helloFrame, pingFrame, readServerMessage,
  type Answer, type Code, type CommandResult, type Hello, type Said, type ServerMessage, type Welcome,
} from "../wire/messages";
import { WorldClock } from "./clock";
import type { Gates } from "./gates";

const HELLO_MS_MAX = 6000;    // from dialling to Welcome
const QUIET_MS_MAX = 12000;   // a pong is due every PING_MS
const PING_MS = 3000;
const PING_FIRST_MS = [50, 350, 900]; // early exchanges, so that world time is good at once
const RETRY_MS_MIN = 250;
const RETRY_MS_MAX = 15000;
const CLOSE_NORMAL = 1000;

export type LineState = "connecting" | "open" | "waiting" | "lobby" | "ended";

// Why a line is not open. No code: the line broke without a word.
export interface Ending {
  code: Code | undefined;
  retry_at_ms: number | undefined; // local time; undefined: it will not try again by itself
}

export interface LineEvents {
  welcome(welcome: Welcome): void;
  record(record: WireRecord, now_ms: number): void;
  answer(answer: Answer): void;
  result?(result: CommandResult): void;
  changed?(what: number): void;
  line?(said: Said): void; // of a channel of the whole world
  ended(ending: Ending): void; // broken, waiting in the lobby, or over
}

export interface LineOptions {
  gates: Gates;
  hello: () => Hello;
  events: LineEvents;
}

// Trying again would only end the same way: a mistake of ours, or something that only a person can decide.
const FINAL: readonly (Code | undefined)[] = [
  "MALFORMED", "TOO_LARGE", "UNKNOWN_MESSAGE", "PROTOCOL", "BAD_TICKET", "REPLACED", "LEFT",
];
const TOO_FAST_MS = 5000; // to calm down

// Exponential with full jitter above half of the step, and on top of what the server asked for.
export function retryDelay(failures: number, retry_after_ms: number, chance: number): number {
  const step = Math.min(RETRY_MS_MIN * 2 ** Math.min(failures, 10), RETRY_MS_MAX);
  return retry_after_ms + step * (0.5 + chance / 2);
}

export class Line {
  readonly clock = new WorldClock();
  state: LineState = "waiting";
  private socket: WebSocket | undefined;
  private timers: ReturnType<typeof setTimeout>[] = [];
  private failures = 0;
  private hellos = 0;
  private awake = false;
  private heard_ms = 0;
  private goodbye: { code: Code | undefined; retry_after_ms: number; sent: boolean } | undefined; // sent: to a certain gate

  constructor(private readonly options: LineOptions) {}

  // Connects now, also while waiting or after an ending that was final.
  open(): void {
    this.drop();
    this.state = "connecting";
    this.goodbye = undefined;
    const socket = new WebSocket(this.options.gates.url);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    socket.onopen = () => socket.send(helloFrame(this.options.hello()));
    this.awaitWelcome();
    socket.onmessage = (event: MessageEvent) => this.received(socket, event.data);
    socket.onclose = () => this.closed(socket);
  }

  private awaitWelcome(): void {
    const hello = ++this.hellos;
    this.after(HELLO_MS_MAX, () => this.state === "connecting" && hello === this.hellos && this.broke());
  }

  // Leaves for good, politely.
  leave(): void {
    if (this.state === "open" || this.state === "lobby") this.speak(goodbyeFrame("LEFT"));
    this.drop();
    this.state = "ended";
  }

  send(frame: Uint8Array): boolean {
    return this.state === "open" && this.speak(frame);
  }

  now(): number {
    return this.clock.now(performance.now());
  }

  private speak(frame: Uint8Array): boolean {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(frame);
    return true;
  }

  private after(ms: number, act: () => void): void {
    this.timers.push(setTimeout(act, ms));
  }

  private drop(): void {
    for (const timer of this.timers) clearTimeout(timer);
    this.timers = [];
    this.awake = false;
    const socket = this.socket;
    this.socket = undefined;
    if (socket === undefined) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(CLOSE_NORMAL);
  }

  private received(socket: WebSocket, data: unknown): void {
    if (socket !== this.socket || !(data instanceof ArrayBuffer)) return;
    this.heard_ms = performance.now();
    const bytes = new Uint8Array(data);
    try {
      if (bytes[0] === FRAME_MESSAGE) this.message(readServerMessage(bytes.subarray(1)));
      else if (bytes[0] === FRAME_BATCH) this.batch(bytes.subarray(1));
      else throw new WireError("unknown frame format");
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.goodbye = { code: "MALFORMED", retry_after_ms: 0, sent: false };
      this.broke();
    }
  }

  private batch(bytes: Uint8Array): void {
    const now_ms = this.now();
    for (const record of decodeBatch(bytes, now_ms)) this.options.events.record(record, now_ms);
  }

  private message(m: ServerMessage): void {
    if (m.welcome !== undefined) this.welcomed(m.welcome);
    else if (m.pong !== undefined) this.clock.exchanged(m.pong.client_ms, m.pong.world_ms, performance.now());
    else if (m.answer !== undefined) this.options.events.answer(m.answer);
    else if (m.result !== undefined) this.options.events.result?.(m.result);
    else if (m.changed !== undefined) this.options.events.changed?.(m.changed.what);
    else if (m.said !== undefined) this.options.events.line?.(m.said);
    else if (m.lobby !== undefined) this.sentToLobby(codeOf(m.lobby.code), m.lobby.retry_after_ms);
    else if (m.goodbye !== undefined) this.partedWith(codeOf(m.goodbye.code), m.goodbye);
  }

  private partedWith(code: Code, { retry_after_ms, gates }: { retry_after_ms: number; gates: string[] }): void {
    const wait_ms = code === "TOO_FAST" ? Math.max(retry_after_ms, TOO_FAST_MS) : retry_after_ms;
    this.goodbye = { code, retry_after_ms: wait_ms, sent: this.options.gates.sent(gates) };
  }

  private welcomed(w: Welcome): void {
    this.state = "open";
    this.failures = 0;
    this.options.gates.named(w.gates);
    this.clock.greeted(w.world_ms, performance.now());
    for (const ms of PING_FIRST_MS) this.after(ms, () => this.ping());
    this.stayAwake();
    this.options.events.welcome(w);
  }

  private sentToLobby(code: Code, retry_after_ms: number): void {
    this.state = "lobby";
    this.stayAwake();
    // Half as long again at most, so that not everybody who was told the same comes at once.
    const wait_ms = retry_after_ms * (1 + Math.random() / 2);
    const hello = this.hellos;
    this.after(wait_ms, () => {
      if (this.state !== "lobby" || hello !== this.hellos) return;
      this.state = "connecting";
      this.awaitWelcome();
      this.speak(helloFrame(this.options.hello()));
    });
    this.options.events.ended({ code, retry_at_ms: performance.now() + wait_ms });
  }

  private ping(): void {
    this.speak(pingFrame(performance.now()));
  }

  private stayAwake(): void {
    if (!this.awake) this.keepAwake();
    this.awake = true;
  }

  private keepAwake(): void {
    this.after(PING_MS, () => {
      if (performance.now() - this.heard_ms > QUIET_MS_MAX) return this.broke();
      this.ping();
      this.keepAwake();
    });
  }

  private closed(socket: WebSocket): void {
    if (socket === this.socket) this.broke();
  }

  private broke(): void {
    this.drop();
    const { code, retry_after_ms, sent } = this.goodbye ?? { code: undefined, retry_after_ms: 0, sent: false };
    if (!sent) this.options.gates.next();
    if (FINAL.includes(code)) {
      this.state = "ended";
      return this.options.events.ended({ code, retry_at_ms: undefined });
    }
    const wait_ms = retryDelay(this.failures++, retry_after_ms, Math.random());
    this.state = "waiting";
    this.after(wait_ms, () => this.open());
    this.options.events.ended({ code, retry_at_ms: performance.now() + wait_ms });
  }
}
