// What one connection knows of the things and movers around it: the rules of the replica in docs/protocol.md.
// Beside the rules it remembers where things were drawn, so that news bend a way instead of breaking it.

import type { Record as WireRecord, Moving } from "../wire/batch";
import { chunkOf, motionDrawnAt, type Place } from "../wire/motion";

const RANGE_OLDER_MS = 300;    // what was heard directly within this time before a RANGE is newer than the RANGE
const FADE_MS = 300;           // who left is drawn this much longer: often the news of the next chunk is on its way
const SHIFT_HALF_LIFE_MS = 90; // a difference between drawn and told place halves in this time
const SHIFT_MAX_MM = 12000;    // beyond it somebody was placed anew
export const ENTITIES_MAX = 16384;

export interface Mover extends Moving {
  told_ms: number; // a MOTION that begins before this is old news: chunks are not ordered against each other
  cx: number; // the chunk it was last published in
  cy: number;
  shift_x: number; // drawn place - told place, mm, at shift_at
  shift_y: number;
  shift_at: number;
  heading: number; // radians, kept while standing
}

export interface Thing {
  entity: bigint;
  thing: number;
  place: Place;
  attributes: Uint8Array;
  cx: number;
  cy: number;
}

export interface Drawn extends Place {
  alpha: number;
}

function shiftLeft(m: { shift_at: number }, now_ms: number): number {
  return Math.pow(0.5, Math.max(now_ms - m.shift_at, 0) / SHIFT_HALF_LIFE_MS);
}

export function moverDrawnAt(m: Mover, now_ms: number): Place {
  const told = motionDrawnAt(m.motion, now_ms);
  const left = shiftLeft(m, now_ms);
  return { x_mm: told.x_mm + m.shift_x * left, y_mm: told.y_mm + m.shift_y * left };
}

export class Replica {
  island = 0;
  own = 0n; // the reader's own avatar is told by SELF and is not kept here
  readonly movers = new Map<bigint, Mover>();
  readonly things = new Map<bigint, Thing>();
  private readonly fading = new Map<bigint, { mover: Mover; since_ms: number }>();

  clear(): void {
    this.movers.clear();
    this.things.clear();
    this.fading.clear();
  }

  // Records that are not about the replica (SAY, SELF, DENSITY) are the caller's.
  apply(record: WireRecord, now_ms: number): void {
    switch (record.kind) {
      case "motion": return this.news(record, now_ms);
      case "leave": return this.left(record.entity, record.cx, record.cy, now_ms);
      case "forget": return this.forget(record.cx, record.cy, now_ms);
      case "range": return this.range(record, now_ms);
      case "thing": return this.stands(record);
      case "island":
        this.clear();
        this.island = record.island;
        return;
      default: return;
    }
  }

  // Everybody who is to be drawn, also those who are just fading away.
  *drawn(now_ms: number): Generator<[Mover, Drawn]> {
    for (const m of this.movers.values()) yield [m, { ...moverDrawnAt(m, now_ms), alpha: 1 }];
    for (const [entity, f] of this.fading) {
      const alpha = 1 - (now_ms - f.since_ms) / FADE_MS;
      if (alpha <= 0) this.fading.delete(entity);
      else yield [f.mover, { ...moverDrawnAt(f.mover, now_ms), alpha }];
    }
  }

  private news(news: Moving, now_ms: number): void {
    const known = this.movers.get(news.entity);
    if (known === undefined || news.motion.since_ms >= known.told_ms) this.heard(news, news.motion.since_ms, now_ms);
  }

  private heard(news: Moving, told_ms: number, now_ms: number): void {
    if (news.entity === this.own) return;
    const before = this.movers.get(news.entity) ?? this.fading.get(news.entity)?.mover;
    const { motion } = news;
    const m: Mover = {
      entity: news.entity, look: news.look, motion, told_ms, cx: chunkOf(motion.x_mm), cy: chunkOf(motion.y_mm),
      shift_x: 0, shift_y: 0, shift_at: now_ms, heading: before?.heading ?? -Math.PI / 2,
    };
    if (motion.vx !== 0 || motion.vy !== 0) m.heading = Math.atan2(motion.vy, motion.vx);
    if (before !== undefined) {
      const was = moverDrawnAt(before, now_ms);
      const is = motionDrawnAt(motion, now_ms);
      const dx = was.x_mm - is.x_mm;
      const dy = was.y_mm - is.y_mm;
      if (Math.hypot(dx, dy) <= SHIFT_MAX_MM) {
        m.shift_x = dx;
        m.shift_y = dy;
      }
    } else if (this.movers.size >= ENTITIES_MAX) {
      return;
    }
    this.fading.delete(news.entity);
    this.movers.set(news.entity, m);
  }

  private drop(m: Mover, now_ms: number): void {
    this.movers.delete(m.entity);
    this.fading.set(m.entity, { mover: m, since_ms: now_ms });
  }

  private left(entity: bigint, cx: number, cy: number, now_ms: number): void {
    const m = this.movers.get(entity);
    // Already known in another chunk: the leave is the older news.
    if (m !== undefined && m.cx === cx && m.cy === cy) this.drop(m, now_ms);
    const t = this.things.get(entity);
    if (t !== undefined && t.cx === cx && t.cy === cy) this.things.delete(entity);
  }

  private forget(cx: number, cy: number, now_ms: number): void {
    for (const m of this.movers.values()) if (m.cx === cx && m.cy === cy) this.drop(m, now_ms);
    for (const t of this.things.values()) if (t.cx === cx && t.cy === cy) this.things.delete(t.entity);
  }

  private range(r: Extract<WireRecord, { kind: "range" }>, now_ms: number): void {
    const newer = (m: Mover | undefined) => m !== undefined && m.motion.since_ms > r.at_ms - RANGE_OLDER_MS;
    const listed = new Set<bigint>();
    for (const e of r.entries) {
      listed.add(e.entity);
      if (!newer(this.movers.get(e.entity))) this.heard(e, r.at_ms - RANGE_OLDER_MS, now_ms);
    }
    for (const m of this.movers.values()) {
      const inside = m.cx === r.cx && m.cy === r.cy && m.entity >= r.first && m.entity <= r.last;
      if (inside && !listed.has(m.entity) && !newer(m)) this.drop(m, now_ms);
    }
  }

  private stands(t: Extract<WireRecord, { kind: "thing" }>): void {
    if (!this.things.has(t.entity) && this.things.size >= ENTITIES_MAX) return;
    this.things.set(t.entity, { ...t, cx: chunkOf(t.place.x_mm), cy: chunkOf(t.place.y_mm) });
  }
}
