// The card of things of value: backpack, chest, letters, offers. One at a time; beside the chart, on a phone below it. It is
// made anew whenever what it shows has changed, and it only ever asks: what happened is told by the next view.

import type { Belongings } from "../sea/belongings";
import type { Outcome } from "../sea/commands";
import { cutToBytes } from "../sea/play";
import { NOTICE_OFFER, type Deed, type Holdings, type Part, type Stack, type ViewName } from "../wire/value";
import { button, make, refill } from "./dom";
import { CHEST, costText, countOf, FRUIT, GOODS, goodsName, goodsOf, holdingsText, stackText } from "./goods";
import type { Texts, ValueTexts } from "./texts";

const MAIL_TEXT_MAX = 200;
const PARTS_MAX = 8;

export type Sight =
  | { card: "bag" }
  | { card: "chest"; id: bigint }
  | { card: "inbox" }
  | { card: "mail"; id: bigint }
  | { card: "trade"; id: bigint; own: boolean }
  | { card: "offer"; to: bigint }
  | { card: "send"; to: bigint };

export interface CardPort {
  texts(): Texts;
  belongings: Belongings;
  busy(): boolean;               // a command is under way
  version(): string;             // changes with everything above
  nameOf(person: bigint): string;
  do(deed: Deed, done: (outcome: Outcome) => void): void;
  closed(): void;
}

export class Card {
  sight: Sight | undefined;
  private readonly root = document.getElementById("card")!;
  private readonly title = document.getElementById("card-title")!;
  private readonly body = document.getElementById("card-body")!;
  private readonly fields = new Map<string, string>(); // what was typed
  private selected: number | undefined; // slot of the bag
  private edits = 0;
  private rendered = "";

  constructor(private readonly port: CardPort) {
    document.getElementById("card-close")!.onclick = () => this.close();
    this.root.onkeydown = (event) => {
      if (event.key === "Escape") this.close();
      if (event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement) event.stopPropagation();
    };
  }

  open(sight: Sight): void {
    const was = this.sight;
    this.sight = sight;
    this.fields.clear();
    this.selected = undefined;
    this.edits += 1;
    this.root.hidden = false;
    document.body.classList.add("carded");
    this.wanted();
    this.turn();
    this.body.scrollTop = 0;
    if (was?.card !== sight.card) this.root.focus({ preventScroll: true });
  }

  toggle(card: "bag" | "inbox"): void {
    if (this.sight?.card === card) this.close();
    else this.open({ card });
  }

  close(): void {
    if (this.sight === undefined) return;
    this.sight = undefined;
    this.root.hidden = true;
    document.body.classList.remove("carded");
    this.port.belongings.only([]);
    this.port.closed();
  }

  // Call it every frame.
  turn(): void {
    const sight = this.sight;
    if (sight === undefined) return;
    const key = `${this.edits} ${this.port.version()}`;
    if (key === this.rendered) return;
    this.rendered = key;
    this.wanted();
    if (this.gone(sight)) return;
    const t = this.t;
    const titles = { bag: t.bag, chest: t.chest, inbox: t.inbox, mail: t.inbox, trade: t.inbox, offer: t.offer, send: t.send };
    this.title.textContent = titles[sight.card];
    refill(this.body, this.content(sight));
  }

  private get t(): ValueTexts {
    return this.port.texts().value;
  }

  // What was looked at is not there any more: back to the list it came from.
  private gone(sight: Sight): boolean {
    if (sight.card !== "mail" && sight.card !== "trade" && sight.card !== "chest") return false;
    const code = this.port.belongings.code(sight.card, sight.id);
    if (code === undefined) return false;
    if (sight.card === "chest") this.close();
    else this.open({ card: "inbox" });
    return true;
  }

  private wanted(): void {
    const wanted: { name: ViewName; id: bigint }[] = [];
    const s = this.sight;
    if (s?.card === "mail" || s?.card === "trade" || s?.card === "chest") wanted.push({ name: s.card, id: s.id });
    if (s?.card === "inbox") for (const id of this.port.belongings.bag?.trades ?? []) wanted.push({ name: "trade", id });
    this.port.belongings.only(wanted);
  }

  private content(sight: Sight): Node[] {
    if (this.port.belongings.bag === undefined) return [make("p", { class: "soft" }, this.t.loading)];
    switch (sight.card) {
      case "bag": return this.bag();
      case "chest": return this.chest(sight.id);
      case "inbox": return this.inbox();
      case "mail": return this.mail(sight.id);
      case "trade": return this.trade(sight.id, sight.own);
      case "offer": return this.offer(sight.to);
      case "send": return this.send(sight.to);
    }
  }

  // ---- parts of all of them ----

  private get holds(): Holdings {
    return this.port.belongings.bag?.holds ?? { coins: 0, slots: [] };
  }

  // What is shown is what is there: nothing can be asked for that the last command may have changed.
  private get off(): boolean {
    return this.port.busy() || !this.port.belongings.fresh;
  }

  private do(deed: Deed, then: (outcome: Outcome) => void = () => undefined): void {
    this.port.do(deed, then);
  }

  private act(key: string, text: string, press: () => void, enabled = true, chief = false): HTMLElement {
    return button({ class: chief ? "primary small" : "act", key, press, off: this.off || !enabled }, text);
  }

  private number(key: string, label: string, most: number, first: number, least = 0): HTMLElement {
    const input = make("input", { key, label }) as HTMLInputElement;
    input.type = "number";
    input.min = String(least);
    input.max = String(most);
    input.inputMode = "numeric";
    input.value = this.fields.get(key) ?? String(first);
    input.oninput = () => this.fields.set(key, input.value);
    return input;
  }

  private value(key: string, most: number, first: number, least = 0): number {
    const n = Math.trunc(Number(this.fields.get(key) || first));
    return Number.isFinite(n) ? Math.min(Math.max(n, least), most) : least;
  }

  private slots(holds: Holdings, each: (s: Stack, slot: number) => HTMLElement): HTMLElement {
    const list = make("ul", { class: "slots" });
    holds.slots.forEach((s, slot) => s.kind !== 0 && s.count > 0 && list.append(make("li", {}, each(s, slot))));
    if (list.children.length === 0) list.append(make("li", { class: "soft" }, this.t.nothing));
    return list;
  }

  private slot(s: Stack, props: { key: string; label?: string; pressed?: boolean; off?: boolean; press: () => void }): HTMLElement {
    const picture = make("i", { class: "goods" });
    picture.dataset["goods"] = String(s.kind);
    picture.setAttribute("aria-hidden", "true");
    const name = make("span", {}, goodsName(this.t, s.kind));
    return button({ class: "slot", label: stackText(this.t, s), ...props }, picture, name, make("b", {}, String(s.count)));
  }

  private row(...children: (Node | string)[]): HTMLElement {
    return make("div", { class: "line" }, ...children);
  }

  private field(text: string, input: HTMLElement): HTMLElement {
    return make("label", { class: "field" }, text, input);
  }

  private purse(): HTMLElement {
    const used = this.holds.slots.filter((s) => s.kind !== 0 && s.count > 0).length;
    const room = this.t.bag_room(used, this.port.belongings.bag?.slots_max ?? 0);
    return make("p", { class: "purse" }, make("b", {}, this.t.coins(this.holds.coins)), make("span", { class: "soft" }, room));
  }

  private heading(text: string): HTMLElement {
    return make("h3", {}, text);
  }

  // ---- the backpack ----

  private bag(): Node[] {
    const slots = this.slots(this.holds, (s, slot) =>
      this.slot(s, { key: `slot ${slot}`, pressed: this.selected === slot, press: () => this.select(slot) }));
    const s = this.selected === undefined ? undefined : this.holds.slots[this.selected];
    const acts = s === undefined || s.kind === 0 ? [] : [this.stackActs(s, this.selected!)];
    return [this.purse(), slots, ...acts, this.heading(this.t.market), this.market()];
  }

  private select(slot: number): void {
    this.selected = this.selected === slot ? undefined : slot;
    this.fields.delete("count");
    this.edits += 1;
  }

  private stackActs(s: Stack, slot: number): HTMLElement {
    const t = this.t;
    const count = () => this.value("count", s.count, s.count, 1);
    const acts: HTMLElement[] = [];
    if (s.count > 1) acts.push(this.field(t.how_many, this.number("count", t.how_many, s.count, s.count, 1)));
    acts.push(this.act("drop", t.drop, () => this.do({ drop: { slot, count: count() } })));
    if (s.kind === FRUIT) acts.push(this.act("eat", t.eat, () => this.do({ eat: { slot } })));
    if (s.kind === CHEST) acts.push(this.act("build", t.build, () => this.do({ build: { slot } })));
    const { sells } = goodsOf(s.kind);
    if (sells !== undefined) acts.push(this.act("sell", t.sell(t.coins(sells)), () => this.do({ sell: { slot, count: count() } })));
    return this.row(...acts);
  }

  private market(): HTMLElement {
    const t = this.t;
    const rows = make("div", { class: "market" });
    for (const { kind, buys, made_of } of GOODS) {
      const name = goodsName(t, kind);
      if (buys !== undefined) {
        const most = Math.min(Math.floor(this.holds.coins / buys), 99);
        const count = () => this.value(`buy ${kind}`, most, 1, 1);
        const input = this.field(t.how_many, this.number(`buy ${kind}`, `${t.how_many}: ${name}`, most, 1, 1));
        rows.append(this.row(input, this.act(`buy-it ${kind}`, t.buy(name, t.coins(buys)), () => this.do({ buy: { kind, count: count() } }), most > 0)));
      }
      if (made_of !== undefined) {
        const enough = countOf(this.holds, FRUIT) >= made_of.fruit && this.holds.coins >= made_of.coins;
        rows.append(this.row(this.act(`craft ${kind}`, t.craft(name, costText(t, made_of)), () => this.do({ craft: { kind } }), enough)));
      }
    }
    return rows;
  }

  // ---- a chest ----

  private chest(id: bigint): Node[] {
    const t = this.t;
    const inside = this.port.belongings.view("chest", id);
    if (inside === undefined) return [make("p", { class: "soft" }, t.loading)];
    const most = (s: Stack) => this.value("move", s.count, s.count, 1);
    const empty = inside.holds.slots.every((s) => s.kind === 0 || s.count === 0);
    const take_up = () => this.do({ take: { entity: id } }, ({ code }) => code === "FINE" && this.close());
    const count = this.number("move", t.how_many, 99, 1, 1) as HTMLInputElement;
    count.value = this.fields.get("move") ?? "";
    count.placeholder = t.all;
    return [
      this.heading(t.in_chest),
      this.slots(inside.holds, (s, slot) => this.slot(s, {
        key: `out ${slot}`, label: t.take_out(stackText(t, s)), off: this.off, press: () => this.do({ take_out: { chest: id, slot, count: most(s) } }),
      })),
      this.heading(t.in_bag),
      this.slots(this.holds, (s, slot) => this.slot(s, {
        key: `in ${slot}`, label: t.put_in(stackText(t, s)), off: this.off, press: () => this.do({ put_in: { chest: id, slot, count: most(s) } }),
      })),
      this.row(this.field(t.how_many, count), ...(empty ? [this.act("take-up", t.take_up, take_up)] : [])),
    ];
  }

  // ---- letters and offers ----

  private inbox(): Node[] {
    const t = this.t;
    const inbox = this.port.belongings.inbox;
    const list = make("ul", { class: "letters" });
    // The newest first.
    for (const n of [...(inbox?.notices ?? [])].reverse()) {
      const offer = n.kind === NOTICE_OFFER;
      const name = n.from_name || this.port.nameOf(n.from);
      const sight: Sight = offer ? { card: "trade", id: n.id, own: false } : { card: "mail", id: n.id };
      const text = make("span", {}, offer ? t.offer_from(name) : t.mail_from(name));
      const parts = n.holds && !offer ? [text, make("small", {}, t.holds_things)] : [text];
      list.append(make("li", {}, button({ class: "letter", key: `notice ${n.id}`, press: () => this.open(sight) }, ...parts)));
    }
    const parts: Node[] = list.children.length > 0 ? [list] : [make("p", { class: "soft" }, inbox === undefined ? t.loading : t.inbox_empty)];
    const own = this.port.belongings.bag?.trades ?? [];
    if (own.length > 0) parts.push(this.heading(t.own_offers), ...own.map((id) => this.ownOffer(id)));
    return parts;
  }

  private ownOffer(id: bigint): HTMLElement {
    const trade = this.port.belongings.view("trade", id);
    const to = trade === undefined ? this.t.loading : this.t.own_offer_to(this.port.nameOf(trade.to));
    const open = () => this.open({ card: "trade", id, own: true });
    return this.row(button({ class: "letter", key: `own ${id}`, press: open }, to), this.withdraw(id, this.t.withdraw));
  }

  private withdraw(id: bigint, text: string): HTMLElement {
    return this.act(`withdraw ${id}`, text, () => this.do({ withdraw: { trade: id } }, ({ code }) => code === "FINE" && this.open({ card: "inbox" })));
  }

  private mail(id: bigint): Node[] {
    const t = this.t;
    const mail = this.port.belongings.view("mail", id);
    if (mail === undefined) return [make("p", { class: "soft" }, t.loading)];
    const holds = mail.holds.coins > 0 || mail.holds.slots.some((s) => s.count > 0);
    const claim = () => this.do({ claim: { mail: id } }, ({ code }) => code === "FINE" && this.open({ card: "inbox" }));
    const words = make("p", { class: "words" }, mail.text);
    words.dir = "auto";
    const things = holds ? [make("p", { class: "things" }, holdingsText(t, mail.holds))] : [];
    return [this.heading(t.mail_from(this.port.nameOf(mail.from))), words, ...things, this.row(this.act("claim", holds ? t.take_mail : t.throw_away, claim, true, true))];
  }

  private trade(id: bigint, own: boolean): Node[] {
    const t = this.t;
    const trade = this.port.belongings.view("trade", id);
    if (trade === undefined) return [make("p", { class: "soft" }, t.loading)];
    const name = this.port.nameOf(own ? trade.to : trade.from);
    const told = (text: string, holds: Holdings) => [this.heading(text), make("p", { class: "things" }, holdingsText(t, holds))];
    if (own) return [...told(t.you_give, trade.gives), ...told(t.wants(name), trade.wants), this.row(this.withdraw(id, t.withdraw))];
    // The hash of what is shown here: who accepts never agrees to anything else.
    const accept = () => this.do({ accept: { trade: id, hash: trade.hash } }, ({ code }) => code === "FINE" && this.open({ card: "inbox" }));
    return [
      ...told(t.gives(name), trade.gives), ...told(t.wants(name), trade.wants),
      this.row(this.act("accept", t.accept, accept, true, true), this.withdraw(id, t.refuse)),
    ];
  }

  // ---- giving ----

  private giving(): HTMLElement[] {
    const t = this.t;
    const rows = this.holds.slots.flatMap((s, slot) => {
      if (s.kind === 0 || s.count === 0) return [];
      const what = stackText(t, s);
      return [this.field(t.give_up_to(what), this.number(`give ${slot}`, `${t.i_give}: ${what}`, s.count, 0))];
    });
    return [...rows, this.field(t.coins_field, this.number("give coins", `${t.i_give}: ${t.coins_field}`, this.holds.coins, 0))];
  }

  private given(): { coins: number; parts: Part[] } {
    const parts = this.holds.slots
      .map((s, slot) => ({ slot, count: this.value(`give ${slot}`, s.count, 0) }))
      .filter((p) => p.count > 0).slice(0, PARTS_MAX);
    return { coins: this.value("give coins", this.holds.coins, 0), parts };
  }

  private offer(to: bigint): Node[] {
    const t = this.t;
    const wants = GOODS.map(({ kind }) =>
      this.field(goodsName(t, kind), this.number(`want ${kind}`, `${t.i_want}: ${goodsName(t, kind)}`, 99, 0)));
    wants.push(this.field(t.coins_field, this.number("want coins", `${t.i_want}: ${t.coins_field}`, 1e9, 0)));
    const offer = () => {
      const slots = GOODS.map(({ kind }) => ({ kind, count: this.value(`want ${kind}`, 99, 0), uid: 0n })).filter((s) => s.count > 0);
      const deed = { offer: { to, ...this.given(), wants: { coins: this.value("want coins", 1e9, 0), slots } } };
      this.do(deed, ({ code }) => code === "FINE" && this.open({ card: "inbox" }));
    };
    return [
      make("p", { class: "soft" }, t.offer_to(this.port.nameOf(to))),
      this.heading(t.i_give), ...this.giving(), this.heading(t.i_want), ...wants, this.row(this.act("offer", t.offer_it, offer, true, true)),
    ];
  }

  private send(to: bigint): Node[] {
    const t = this.t;
    const words = make("input", { key: "words", label: t.text_field }) as HTMLInputElement;
    words.type = "text";
    words.maxLength = MAIL_TEXT_MAX;
    words.placeholder = t.text_field;
    words.value = this.fields.get("words") ?? "";
    words.oninput = () => this.fields.set("words", words.value);
    const send = () => {
      const deed = { send: { to, text: cutToBytes((this.fields.get("words") ?? "").trim(), MAIL_TEXT_MAX), ...this.given() } };
      this.do(deed, ({ code }) => code === "FINE" && this.close());
    };
    return [
      make("p", { class: "soft" }, t.send_to(this.port.nameOf(to))), words,
      this.heading(t.i_give), ...this.giving(), this.row(this.act("send", t.send_it, send, true, true)),
    ];
  }
}

