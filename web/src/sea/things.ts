// The things of the sample game as they are told (docs/sample.md, "What is seen"), and what of them lies within reach.

import type { Place } from "../wire/motion";
import type { Thing } from "./replica";

export const TREE = 1;
export const DROP = 3;
export const CHEST_STANDS = 4;
export const STAGE_FRUIT = 3;

export const REACH_MM = 2700; // a little less than the server's 3 m: a step may be under way
const NEAR_MAX = 5;

export type Known =
  | { what: "tree"; stage: number; until_ms: number }
  | { what: "drop"; goods: number; count: number }
  | { what: "chest" };

// undefined: of a kind that this page does not know, or told in too few bytes.
export function knownThing(t: Pick<Thing, "thing" | "attributes">): Known | undefined {
  const view = new DataView(t.attributes.buffer, t.attributes.byteOffset, t.attributes.byteLength);
  if (t.thing === TREE && view.byteLength >= 9) return { what: "tree", stage: view.getUint8(0), until_ms: Number(view.getBigInt64(1, true)) };
  if (t.thing === DROP && view.byteLength >= 5) return { what: "drop", goods: view.getUint8(0), count: view.getUint32(1, true) };
  return t.thing === CHEST_STANDS ? { what: "chest" } : undefined;
}

export type Near = { entity: bigint; place: Place } & (
  | { act: "pick" }
  | { act: "take"; goods: number; count: number }
  | { act: "open" }
);

// What can be done with a thing by somebody who stands beside it.
export function actOn(t: Thing): Near | undefined {
  const known = knownThing(t);
  const common = { entity: t.entity, place: t.place };
  if (known?.what === "tree" && known.stage === STAGE_FRUIT) return { ...common, act: "pick" };
  if (known?.what === "drop") return { ...common, act: "take", goods: known.goods, count: known.count };
  return known?.what === "chest" ? { ...common, act: "open" } : undefined;
}

export function distanceMm(a: Place, b: Place): number {
  return Math.hypot(a.x_mm - b.x_mm, a.y_mm - b.y_mm);
}

// The nearest first.
export function withinReach(things: Iterable<Thing>, at: Place): Near[] {
  const near: Near[] = [];
  for (const t of things) {
    if (distanceMm(t.place, at) > REACH_MM) continue;
    const n = actOn(t);
    if (n !== undefined) near.push(n);
  }
  near.sort((a, b) => distanceMm(a.place, at) - distanceMm(b.place, at) || (a.entity < b.entity ? -1 : 1));
  return near.slice(0, NEAR_MAX);
}
