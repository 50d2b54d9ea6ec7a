// The sample game's goods, as src/rules/sample_kinds.c has them (a test holds this table to it), and words for amounts.

import type { Holdings, Stack } from "../wire/value";
import type { ValueTexts } from "./texts";

export const FRUIT = 1;
export const CHARM = 2;
export const CHEST = 3;

export interface Goods {
  kind: number;
  sells?: number; // coins for one
  buys?: number;
  made_of?: { fruit: number; coins: number };
}

export const GOODS: readonly Goods[] = [
  { kind: FRUIT, sells: 2, buys: 5 },
  { kind: CHARM, sells: 12, made_of: { fruit: 3, coins: 0 } },
  { kind: CHEST, made_of: { fruit: 5, coins: 20 } },
];

export function goodsOf(kind: number): Goods {
  return GOODS.find((g) => g.kind === kind) ?? { kind };
}

export function goodsName(t: ValueTexts, kind: number): string {
  return t.goods[kind] || t.unknown;
}

export function stackText(t: ValueTexts, s: Pick<Stack, "kind" | "count">): string {
  return t.amount(s.count, goodsName(t, s.kind));
}

export function holdingsText(t: ValueTexts, h: Holdings): string {
  const parts = h.slots.filter((s) => s.kind !== 0 && s.count > 0).map((s) => stackText(t, s));
  if (h.coins > 0) parts.push(t.coins(h.coins));
  return parts.length === 0 ? t.nothing : parts.join(t.and);
}

export function costText(t: ValueTexts, cost: { fruit: number; coins: number }): string {
  return holdingsText(t, { coins: cost.coins, slots: [{ kind: FRUIT, count: cost.fruit, uid: 0n }] });
}

export function countOf(h: Holdings, kind: number): number {
  return h.slots.reduce((sum, s) => sum + (s.kind === kind ? s.count : 0), 0);
}
