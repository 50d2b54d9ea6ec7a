// The row of buttons above the say line: what lies within reach, who stands near, and what can be done with whom was chosen.

import { button, refill } from "./dom";
import { stackText } from "./goods";
import type { ValueTexts } from "./texts";
import type { Near } from "../sea/things";

export interface ReachPort {
  act(near: Near): void;
  choose(person: bigint | undefined): void;
  offer(person: bigint): void;
  send(person: bigint): void;
}

export interface Within {
  things: readonly Near[];
  people: readonly { entity: bigint; name: string }[];
  chosen: { entity: bigint; name: string } | undefined;
  busy: boolean;
}

export class Reach {
  private readonly root = document.getElementById("reach")!;
  private rendered = "";

  constructor(private readonly port: ReachPort) {}

  // Call it every frame.
  turn(t: ValueTexts, w: Within): void {
    const buttons = [
      ...w.things.map((n) => ({ key: `${n.act} ${n.entity}`, text: this.text(t, n), off: w.busy, press: () => this.port.act(n) })),
      ...w.people.map((p) => ({
        key: `person ${p.entity}`, text: t.person(p.name), pressed: p.entity === w.chosen?.entity,
        press: () => this.port.choose(p.entity === w.chosen?.entity ? undefined : p.entity),
      })),
      ...(w.chosen === undefined ? [] : this.chosen(t, w.chosen)),
    ];
    const key = JSON.stringify([t.reach, buttons]);
    if (key === this.rendered) return;
    this.rendered = key;
    this.root.setAttribute("aria-label", t.reach);
    refill(this.root, buttons.map(({ text, ...props }) => button({ class: "chip", ...props }, text)));
  }

  private text(t: ValueTexts, n: Near): string {
    if (n.act === "pick") return t.pick;
    return n.act === "open" ? t.open_chest : t.take(stackText(t, { kind: n.goods, count: n.count }));
  }

  private chosen(t: ValueTexts, { entity, name }: { entity: bigint; name: string }): { key: string; text: string; press: () => void }[] {
    return [
      { key: "offer", text: t.offer_to(name), press: () => this.port.offer(entity) },
      { key: "send", text: t.send_to(name), press: () => this.port.send(entity) },
    ];
  }
}
