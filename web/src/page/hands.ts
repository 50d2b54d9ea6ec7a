// What a player does with things: joins the row of what is within reach, the card and the chart's taps with the commands of
// the line, and tells how it went.

import type { Outcome } from "../sea/commands";
import type { Play } from "../sea/play";
import { moverDrawnAt, type Mover, type Thing } from "../sea/replica";
import { actOn, distanceMm, REACH_MM, withinReach, type Near } from "../sea/things";
import { LOOK_ANIMAL } from "../wire/batch";
import type { Place } from "../wire/motion";
import { NOTICE_OFFER, type Deed, type Notice } from "../wire/value";
import { Card } from "./card";
import { holdingsText } from "./goods";
import type { Hud } from "./hud";
import { Reach } from "./reach";

const LOOK_AROUND_MS = 150; // between two looks at what is within reach
const PEOPLE_MM = 8000;     // who stands so near has a button
const PEOPLE_MAX = 2;
const CROWN_MM = 1500;      // a tree is wider than a finger

export class Hands {
  readonly card: Card;
  private readonly reach: Reach;
  private things: Near[] = [];
  private people: bigint[] = [];
  private chosen: bigint | undefined;
  private intent: bigint | undefined; // the thing on the way to which the avatar is
  private looked_ms = -Infinity;
  private waited = false;             // it was told that a command has to wait
  private notices: Set<bigint> | undefined;

  constructor(private readonly play: Play, private readonly hud: Hud) {
    this.card = new Card({
      texts: () => hud.texts,
      belongings: play.belongings,
      busy: () => play.commands.busy,
      version: () => `${hud.texts.title} ${play.belongings.version} ${play.commands.version}`,
      nameOf: (person) => this.nameOf(person),
      do: (deed, done) => this.do(deed, done),
      closed: () => document.getElementById("chart")!.focus({ preventScroll: true }),
    });
    this.reach = new Reach({
      act: (near) => this.act(near),
      choose: (person) => (this.chosen = person),
      offer: (person) => this.card.open({ card: "offer", to: person }),
      send: (person) => this.card.open({ card: "send", to: person }),
    });
    document.getElementById("bag-open")!.onclick = () => this.card.toggle("bag");
    document.getElementById("inbox-open")!.onclick = () => this.card.toggle("inbox");
  }

  // Call it every frame; at: where the own avatar is, undefined when there is none.
  turn(local_ms: number, now_ms: number, at: Place | undefined): void {
    this.showControls(at !== undefined);
    if (at === undefined) {
      this.card.close();
      this.intent = this.chosen = undefined;
      return;
    }
    this.play.belongings.turn(local_ms);
    if (local_ms - this.looked_ms >= LOOK_AROUND_MS) {
      this.looked_ms = local_ms;
      this.lookAround(now_ms, at);
    }
    const called = (entity: bigint) => ({ entity, name: this.nameOf(entity) });
    const chosen = this.chosen === undefined ? undefined : called(this.chosen);
    this.reach.turn(this.hud.texts.value, { things: this.things, people: this.people.map(called), chosen, busy: this.play.commands.busy });
    this.card.turn();
    this.badge();
    this.patience();
  }

  // A tap on the chart. True: it was for a thing within reach, and the avatar stays where it is.
  tap(place: Place, radius_mm: number, at: Place, now_ms: number): boolean {
    this.intent = this.chosen = undefined;
    const thing = this.thingUnder(place, radius_mm);
    const person = this.personUnder(place, radius_mm, now_ms);
    if (person !== undefined && (thing === undefined || distanceMm(moverDrawnAt(person, now_ms), place) < distanceMm(thing.place, place))) {
      this.chosen = person.entity;
      return false;
    }
    const near = thing && actOn(thing);
    if (near === undefined) return false;
    if (distanceMm(near.place, at) > REACH_MM) {
      this.intent = near.entity;
      return false;
    }
    this.act(near);
    return true;
  }

  // The avatar was sent somewhere else.
  letGo(): void {
    this.intent = undefined;
  }

  nameOf(person: bigint): string {
    return this.play.nameOf(person) || this.hud.texts.value.stranger(person);
  }

  private lookAround(now_ms: number, at: Place): void {
    this.things = withinReach(this.play.replica.things.values(), at);
    const near: { entity: bigint; mm: number }[] = [];
    for (const m of this.play.replica.movers.values()) {
      const mm = m.look < LOOK_ANIMAL ? distanceMm(moverDrawnAt(m, now_ms), at) : Infinity;
      if (mm <= PEOPLE_MM) near.push({ entity: m.entity, mm });
    }
    near.sort((a, b) => a.mm - b.mm);
    this.people = near.slice(0, PEOPLE_MAX).map((n) => n.entity).sort((a, b) => (a < b ? -1 : 1));
    if (this.chosen !== undefined && !this.play.replica.movers.has(this.chosen)) this.chosen = undefined;
    if (this.chosen !== undefined && !this.people.includes(this.chosen)) this.people.push(this.chosen);
    const reached = this.things.find((n) => n.entity === this.intent);
    if (reached === undefined || this.play.commands.busy) return;
    this.intent = undefined;
    this.act(reached);
  }

  private thingUnder(place: Place, radius_mm: number): Thing | undefined {
    let best: Thing | undefined;
    for (const t of this.play.replica.things.values()) {
      const act = actOn(t)?.act;
      const wide_mm = act === "pick" ? radius_mm + CROWN_MM : radius_mm;
      if (act === undefined || distanceMm(t.place, place) > wide_mm) continue;
      if (best === undefined || distanceMm(t.place, place) < distanceMm(best.place, place)) best = t;
    }
    return best;
  }

  private personUnder(place: Place, radius_mm: number, now_ms: number): Mover | undefined {
    let best: Mover | undefined;
    let best_mm = radius_mm;
    for (const m of this.play.replica.movers.values()) {
      const mm = distanceMm(moverDrawnAt(m, now_ms), place);
      if (m.look < LOOK_ANIMAL && mm <= best_mm) {
        best = m;
        best_mm = mm;
      }
    }
    return best;
  }

  private act(near: Near): void {
    if (near.act === "open") return this.card.open({ card: "chest", id: near.entity });
    this.do(near.act === "pick" ? { pick: { entity: near.entity } } : { take: { entity: near.entity } });
  }

  private do(deed: Deed, done: (outcome: Outcome) => void = () => undefined): void {
    this.waited = false;
    const taken = this.play.do(deed, (outcome) => {
      this.tell(outcome);
      done(outcome);
    });
    if (!taken) this.hud.toast(this.hud.texts.codes.RETRY_AFTER);
  }

  private tell({ code, result }: Outcome): void {
    const t = this.hud.texts;
    if (code !== "FINE") return this.hud.toast(t.codes[code]);
    if (result.mail !== 0n) return this.hud.toast(t.value.in_mail);
    const gained = { coins: result.coins_gained, slots: result.gained };
    if (gained.coins > 0 || gained.slots.length > 0) this.hud.toast(t.value.gained(holdingsText(t.value, gained)));
  }

  // The server asked for patience: the command stays, and is sent again by itself.
  private patience(): void {
    if (this.play.commands.state !== "pausing" || this.waited) return;
    this.waited = true;
    this.hud.toast(this.hud.texts.codes.RETRY_AFTER);
  }

  private badge(): void {
    const inbox = this.play.belongings.inbox;
    if (inbox === undefined) return;
    for (const n of inbox.notices) {
      if (this.notices !== undefined && !this.notices.has(n.id)) this.arrived(n);
      this.play.named(n.from, n.from_name);
    }
    const known = this.notices;
    if (known !== undefined && known.size === inbox.notices.length && inbox.notices.every((n) => known.has(n.id))) return;
    this.notices = new Set(inbox.notices.map((n) => n.id));
    const badge = document.getElementById("inbox-badge")!;
    badge.hidden = inbox.notices.length === 0;
    badge.textContent = String(inbox.notices.length);
  }

  private arrived(n: Notice): void {
    const t = this.hud.texts.value;
    const name = n.from_name || this.nameOf(n.from);
    const text = n.kind === NOTICE_OFFER ? t.offer_from(name) : t.mail_from(name);
    this.hud.toast(text);
    this.hud.heard(text);
  }

  private showControls(playing: boolean): void {
    for (const id of ["reach", "bag-open", "inbox-open"]) document.getElementById(id)!.hidden = !playing;
    const { sight } = this.card;
    const expanded = (on: boolean, id: string) => document.getElementById(id)!.setAttribute("aria-expanded", String(on));
    expanded(sight?.card === "bag", "bag-open");
    expanded(sight !== undefined && ["inbox", "mail", "trade"].includes(sight.card), "inbox-open");
    const count = this.play.belongings.inbox?.notices.length ?? 0;
    const label = this.hud.texts.value.inbox_new(count);
    const inbox = document.getElementById("inbox-open")!;
    if (inbox.getAttribute("aria-label") !== label) inbox.setAttribute("aria-label", label);
  }
}
