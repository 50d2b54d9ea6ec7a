// From what is known of somebody to what is painted of him.

import { knownThing } from "../sea/things";
import { LOOK_ANIMAL, LOOK_RIDER } from "../wire/batch";
import type { Being } from "./painter";
import { ANIMAL, CHEST, DROPS, HORSE, PARCEL, RIDER, STONE, TREES, WALKER } from "./sprites";
import type { Rgb } from "./theme";

// Coats in the five colours of Korean festive dress and their neighbours.
const COATS: Rgb[] = [
  [0.80, 0.25, 0.20], [0.17, 0.36, 0.62], [0.93, 0.77, 0.31], [0.93, 0.91, 0.85], [0.24, 0.24, 0.28], [0.36, 0.55, 0.33],
  [0.62, 0.33, 0.50], [0.91, 0.53, 0.33], [0.27, 0.60, 0.60], [0.55, 0.42, 0.66], [0.85, 0.56, 0.62], [0.45, 0.62, 0.80],
];
const FURS: Rgb[] = [[0.66, 0.44, 0.25], [0.75, 0.56, 0.36], [0.55, 0.38, 0.26], [0.84, 0.74, 0.58]];
const LEAVES: Rgb[] = [[0.36, 0.52, 0.27], [0.42, 0.58, 0.30], [0.31, 0.47, 0.31], [0.50, 0.58, 0.28]];
const WHITE: Rgb = [1, 1, 1];

// A stable share of [0, 1) from an id.
export function chanceOf(entity: bigint, salt = 0): number {
  let h = Number(entity & 0xffffffffn) ^ Number((entity >> 32n) & 0xffffffffn) ^ (salt * 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) / 4294967296;
}

function pick<T>(list: readonly T[], entity: bigint, salt: number): T {
  return list[Math.floor(chanceOf(entity, salt) * list.length)]!;
}

export interface Seen {
  entity: bigint;
  look: number;
  x: number; // metres on the chart
  y: number;
  heading: number;
  walks: boolean;
  alpha: number;
}

export function addMover(out: Being[], s: Seen): void {
  const common = { x: s.x, y: s.y, heading: s.heading, walks: s.walks, alpha: s.alpha, phase: chanceOf(s.entity, 3) };
  if (s.look === LOOK_ANIMAL) {
    out.push({ ...common, sprite: ANIMAL, tint: pick(FURS, s.entity, 1) });
  } else if (s.look === LOOK_RIDER) {
    out.push({ ...common, sprite: HORSE, tint: WHITE });
    out.push({ ...common, sprite: RIDER, tint: pick(COATS, s.entity, 2) });
  } else {
    out.push({ ...common, sprite: WALKER, tint: pick(COATS, s.entity, 2) });
  }
}

export interface Standing {
  entity: bigint;
  thing: number;
  attributes: Uint8Array;
  x: number;
  y: number;
}

export function addThing(out: Being[], t: Standing): void {
  const turn = chanceOf(t.entity, 4) * Math.PI * 2;
  const common = { x: t.x, y: t.y, heading: turn, walks: false, alpha: 1, phase: 0, tint: pick(LEAVES, t.entity, 5) };
  const known = knownThing(t);
  if (known?.what === "tree") {
    const size = 0.75 + chanceOf(t.entity, 6) * 0.5;
    const sprite = pick(TREES[known.stage] ?? TREES[1]!, t.entity, 7);
    out.push({ ...common, sprite: { ...sprite, metres: sprite.metres * size } });
  } else if (known?.what === "drop") {
    out.push({ ...common, sprite: DROPS[known.goods] ?? PARCEL, tint: WHITE });
  } else if (known?.what === "chest") {
    out.push({ ...common, sprite: CHEST, tint: WHITE, heading: 0 });
  } else {
    out.push({ ...common, sprite: STONE, tint: [0.72, 0.70, 0.66] });
  }
}
