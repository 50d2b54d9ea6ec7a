// Motion: position as a function of world time. The same integers as src/wire/motion.c; test/vectors/motion.json
// holds both to it.

export const CHUNK_MM = 30000;
export const VELOCITY_UNIT_MM_S = 2;
export const MOTION_LASTS_MS_MAX = 10000;

export interface Place {
  x_mm: number;
  y_mm: number;
}

export interface Motion extends Place {
  vx: number; // in 2 mm/s
  vy: number;
  since_ms: number; // world time
  lasts_ms: number; // 0: stands
}

function elapsed(m: Motion, at_ms: number): number {
  return Math.min(Math.max(at_ms - m.since_ms, 0), m.lasts_ms);
}

function along(from_mm: number, v: number, dt_ms: number): number {
  return from_mm + Math.trunc((v * VELOCITY_UNIT_MM_S * dt_ms) / 1000);
}

// Where the mover stands at a whole ms of world time.
export function motionAt(m: Motion, at_ms: number): Place {
  const dt = elapsed(m, Math.trunc(at_ms));
  return { x_mm: along(m.x_mm, m.vx, dt), y_mm: along(m.y_mm, m.vy, dt) };
}

// The same in fractions, for drawing between two ms.
export function motionDrawnAt(m: Motion, at_ms: number): Place {
  const dt = elapsed(m, at_ms);
  return { x_mm: m.x_mm + (m.vx * VELOCITY_UNIT_MM_S * dt) / 1000, y_mm: m.y_mm + (m.vy * VELOCITY_UNIT_MM_S * dt) / 1000 };
}

export function motionMoves(m: Motion, at_ms: number): boolean {
  return (m.vx !== 0 || m.vy !== 0) && at_ms < m.since_ms + m.lasts_ms;
}

export function chunkOf(mm: number): number {
  return Math.floor(mm / CHUNK_MM);
}

// Completes the low 32 bits of a world time to the value nearest to near_ms.
export function nearestTime(low32: number, near_ms: number): number {
  const span = 4294967296;
  const near = Math.trunc(near_ms);
  const behind = (((near % span) + span) % span) - low32;
  const candidate = near - behind;
  if (behind > span / 2) return candidate + span;
  if (behind < -span / 2) return candidate - span;
  return candidate;
}
