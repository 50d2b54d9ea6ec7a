// What the page knows of things of value: views of the bag, the inbox and of whatever is looked at, asked for when they are
// wanted and asked again when something changed. Answers may be lost, so an unanswered question is put again.

import { codeOf, type Answer, type Code } from "../wire/messages";
import { readView, viewOf, type BagView, type InboxView, type ViewName, type Views } from "../wire/value";

const ASKED_MAX = 3;         // at a time; the server answers four
const PATIENCE_MS = 3000;    // for an answer
const AGAIN_MS = 1000;       // after "not now"
const CHEST_MS = 1500;       // nobody tells when others reach into a chest

interface Entry {
  name: ViewName;
  id: bigint;
  view: unknown;
  code: Code | undefined; // why there is no view
  news: number;           // how often it was told to have changed
  shown: number;          // as of which of these the view is; below news: stale
  ask_ms: number;         // not before
}

export interface BelongingsPort {
  ask(name: ViewName, id: bigint): number | undefined; // the number of the request; undefined: not connected
}

export class Belongings {
  version = 0; // grows with everything that can be seen here
  private readonly entries = new Map<string, Entry>();
  private readonly asked = new Map<number, { entry: Entry; news: number; until_ms: number }>();

  constructor(private readonly port: BelongingsPort) {
    this.keep();
  }

  get bag(): BagView | undefined {
    return this.view("bag", 0n);
  }

  get inbox(): InboxView | undefined {
    return this.view("inbox", 0n);
  }

  // The bag as it is, not as it was before the last command.
  get fresh(): boolean {
    const bag = this.entries.get("bag 0")!;
    return bag.view !== undefined && bag.shown === bag.news;
  }

  // As far as it is known; what was asked for once is kept up to date until only() leaves it out.
  view<N extends ViewName>(name: N, id: bigint): Views[N] | undefined {
    return this.entries.get(`${name} ${id}`)?.view as Views[N] | undefined;
  }

  code(name: ViewName, id: bigint): Code | undefined {
    return this.entries.get(`${name} ${id}`)?.code;
  }

  // Besides bag and inbox exactly these are on the screen.
  only(wanted: readonly { name: ViewName; id: bigint }[]): void {
    const keys = new Set(["bag 0", "inbox 0", ...wanted.map((w) => `${w.name} ${w.id}`)]);
    for (const key of this.entries.keys()) if (!keys.has(key)) this.entries.delete(key);
    for (const { name, id } of wanted) this.entry(name, id);
  }

  // The numbers of requests begin anew with each session, and nothing seen before is sure.
  welcomed(): void {
    this.asked.clear();
    this.stale();
  }

  // Somebody else is here now.
  forget(): void {
    this.entries.clear();
    this.asked.clear();
    this.keep();
    this.version += 1;
  }

  // After every command, and after a hint.
  stale(name?: ViewName): void {
    for (const e of this.entries.values()) {
      if (name !== undefined && e.name !== name) continue;
      e.news += 1;
      e.ask_ms = -Infinity;
    }
    this.version += 1;
  }

  changed(what: number): void {
    const name = viewOf(what);
    if (name === undefined) return;
    this.stale(name);
    // An offer that was changed tells of itself in no other way.
    if (name === "inbox") this.stale("trade");
  }

  // False: it was not an answer to a question of this object.
  answered(answer: Answer, local_ms: number): boolean {
    const question = this.asked.get(answer.number);
    if (question === undefined) return false;
    this.asked.delete(answer.number);
    const { entry, news } = question;
    if (news < entry.shown) return true; // overtaken by the answer to a later question
    const code = codeOf(answer.code);
    if (code === "RETRY_AFTER") {
      entry.ask_ms = local_ms + AGAIN_MS;
      return true;
    }
    entry.view = code === "FINE" ? readView(entry.name, answer.shown ?? new Uint8Array(0)) : undefined;
    entry.code = code === "FINE" ? undefined : code;
    entry.shown = news;
    entry.ask_ms = entry.name === "chest" ? local_ms + CHEST_MS : -Infinity;
    this.version += 1;
    return true;
  }

  // Call it every frame.
  turn(local_ms: number): void {
    for (const [number, q] of this.asked) if (local_ms > q.until_ms) this.asked.delete(number);
    for (const entry of this.entries.values()) {
      const repeats = entry.name === "chest" && entry.view !== undefined;
      if (this.asked.size >= ASKED_MAX || local_ms < entry.ask_ms || (entry.shown === entry.news && !repeats)) continue;
      if ([...this.asked.values()].some((q) => q.entry === entry && q.news === entry.news)) continue;
      const number = this.port.ask(entry.name, entry.id);
      if (number === undefined) return;
      this.asked.set(number, { entry, news: entry.news, until_ms: local_ms + PATIENCE_MS });
    }
  }

  private keep(): void {
    this.entry("bag", 0n);
    this.entry("inbox", 0n);
  }

  private entry(name: ViewName, id: bigint): void {
    const key = `${name} ${id}`;
    if (this.entries.has(key)) return;
    this.entries.set(key, { name, id, view: undefined, code: undefined, news: 1, shown: 0, ask_ms: -Infinity });
    this.version += 1;
  }
}
