// The own avatar. It walks at once, before the server has heard of it: a change of will becomes a motion that starts at
// the estimated world time, is drawn and sent. The server answers only when it disagrees; then its word is taken and the
// difference fades from the eye.

import { SELF_CORRECTED, SELF_MOVED, type Moving } from "../wire/batch";
import { motionAt, motionDrawnAt, motionMoves, VELOCITY_UNIT_MM_S, type Motion, type Place } from "../wire/motion";

const LASTS_MS = 2000;      // how long a step reaches when nothing more is heard of the walker
const REFRESH_MS = 1000;    // while a key is held
const CHANGES_MIN_MS = 100; // between two changes of direction: a dragging finger makes hundreds
const BLOCKED_MS = 400;     // after a correction, before the same way is tried again
const ARRIVED_MM = 150;
const SHIFT_HALF_LIFE_MS = 90;
const SHIFT_MAX_MM = 20000;

// Which way: a direction (any length but 0), or a place to go to.
export type Will = { kind: "stand" } | { kind: "towards"; x: number; y: number } | { kind: "to"; place: Place };

export interface AvatarPort {
  send(move_no: number, motion: Motion, look: number): void;
}

const STAND: Will = { kind: "stand" };

export class Avatar {
  heading = -Math.PI / 2;
  private will: Will = STAND;
  private wanted_look = 0;
  private move_no = 0;
  private sent_ms = -Infinity;
  private blocked_until_ms = -Infinity;
  private held_up_mm = Infinity; // how far it was to the place when the server last disagreed on the way there
  private dirty = false;
  private shift_x = 0;
  private shift_y = 0;
  private shift_at = 0;

  constructor(
    readonly entity: bigint,
    private motion: Motion,
    private readonly port: AvatarPort,
    private readonly speed_mm_s: (look: number) => number,
    public look = 0,
  ) {
    this.wanted_look = look;
  }

  placeAt(now_ms: number): Place {
    return motionAt(this.motion, now_ms);
  }

  drawnAt(now_ms: number): Place {
    const left = Math.pow(0.5, Math.max(now_ms - this.shift_at, 0) / SHIFT_HALF_LIFE_MS);
    const told = motionDrawnAt(this.motion, now_ms);
    return { x_mm: told.x_mm + this.shift_x * left, y_mm: told.y_mm + this.shift_y * left };
  }

  moves(now_ms: number): boolean {
    return motionMoves(this.motion, now_ms);
  }

  // Where it is on its way to.
  target(now_ms: number): Place | undefined {
    return this.will.kind === "to" && !this.reached(now_ms) ? this.will.place : undefined;
  }

  wish(will: Will, look: number, now_ms: number): void {
    const same = look === this.wanted_look && sameWill(will, this.will);
    this.will = will;
    this.wanted_look = look;
    if (!same) {
      this.dirty = true;
      this.blocked_until_ms = -Infinity;
      this.held_up_mm = Infinity;
    }
    this.turn(now_ms);
  }

  // On or off the horse, whatever the way.
  mount(look: number, now_ms: number): void {
    this.wish(this.will, look, now_ms);
  }

  // Call it every frame.
  turn(now_ms: number): void {
    // The motion that leads to a place ends there by itself. To say so once more would only give the server something to
    // disagree with, when an earlier move came late; and the will is kept for the case that it does disagree.
    if (!this.dirty && this.reached(now_ms)) return;
    const stops = this.will.kind === "stand";
    if (this.dirty && (stops || now_ms - this.sent_ms >= CHANGES_MIN_MS)) return this.step(now_ms);
    if (stops || now_ms < this.blocked_until_ms) return;
    if (now_ms - this.motion.since_ms >= REFRESH_MS || !this.moves(now_ms)) {
      if (now_ms - this.sent_ms >= CHANGES_MIN_MS) this.step(now_ms);
    }
  }

  // SELF from the server.
  told(flags: number, move_no: number, body: Moving, now_ms: number): void {
    const anew = (flags & SELF_MOVED) !== 0;
    // A correction of an older move is void: the later ones will be judged by themselves.
    const corrected = (flags & SELF_CORRECTED) !== 0 && move_no >= this.move_no;
    if (!anew && !corrected) return;
    const was = this.drawnAt(now_ms);
    this.motion = body.motion;
    this.look = body.look;
    this.blocked_until_ms = now_ms + BLOCKED_MS;
    this.dirty = false;
    const is = motionDrawnAt(this.motion, now_ms);
    const near = Math.hypot(was.x_mm - is.x_mm, was.y_mm - is.y_mm) <= SHIFT_MAX_MM;
    this.shift_x = near && !anew ? was.x_mm - is.x_mm : 0;
    this.shift_y = near && !anew ? was.y_mm - is.y_mm : 0;
    this.shift_at = now_ms;
    if (anew || !this.getsCloser(now_ms)) this.will = STAND;
  }

  // Somebody who walks to a place is held up by the sea, or because a move came late. He tries again as long as that brings
  // him closer: through the sea nobody gets by trying.
  private getsCloser(now_ms: number): boolean {
    const left_mm = this.leftTo(now_ms);
    const closer = left_mm === undefined || left_mm < this.held_up_mm - ARRIVED_MM;
    this.held_up_mm = left_mm ?? Infinity;
    return closer;
  }

  private leftTo(now_ms: number): number | undefined {
    if (this.will.kind !== "to") return undefined;
    const at = this.placeAt(now_ms);
    return Math.hypot(this.will.place.x_mm - at.x_mm, this.will.place.y_mm - at.y_mm);
  }

  private reached(now_ms: number): boolean {
    const left_mm = this.leftTo(now_ms);
    return left_mm !== undefined && left_mm <= ARRIVED_MM;
  }

  private step(now_ms: number): void {
    const since_ms = Math.trunc(now_ms);
    const at = this.placeAt(since_ms);
    const next: Motion = { ...at, vx: 0, vy: 0, since_ms, lasts_ms: 0 };
    const way = this.way(at);
    if (way !== undefined) {
      const speed = this.speed_mm_s(this.wanted_look) / VELOCITY_UNIT_MM_S;
      next.vx = Math.trunc((way.x / way.length) * speed);
      next.vy = Math.trunc((way.y / way.length) * speed);
      const needed_ms = way.ends ? Math.ceil((way.length / (speed * VELOCITY_UNIT_MM_S)) * 1000) : LASTS_MS;
      next.lasts_ms = Math.max(1, Math.min(LASTS_MS, needed_ms));
      this.heading = Math.atan2(way.y, way.x);
    }
    this.look = this.wanted_look;
    this.motion = next;
    this.dirty = false;
    this.sent_ms = now_ms;
    this.move_no += 1;
    this.port.send(this.move_no, next, this.look);
  }

  private way(at: Place): { x: number; y: number; length: number; ends: boolean } | undefined {
    if (this.will.kind === "stand") return undefined;
    const ends = this.will.kind === "to";
    const x = this.will.kind === "to" ? this.will.place.x_mm - at.x_mm : this.will.x;
    const y = this.will.kind === "to" ? this.will.place.y_mm - at.y_mm : this.will.y;
    const length = Math.hypot(x, y);
    return length > 0 ? { x, y, length, ends } : undefined;
  }
}

function sameWill(a: Will, b: Will): boolean {
  if (a.kind === "towards" && b.kind === "towards") return a.x === b.x && a.y === b.y;
  if (a.kind === "to" && b.kind === "to") return a.place.x_mm === b.place.x_mm && a.place.y_mm === b.place.y_mm;
  return a.kind === b.kind;
}
