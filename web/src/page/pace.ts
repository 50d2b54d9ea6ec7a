// On machines without a graphics card fewer pixels are better than fewer frames: the pace of the frames says how many pixels
// a point of the page gets. It only ever goes down; a machine that was too slow once is so again.

const SLOW_FRAME_MS = 45;
const VERY_SLOW_FRAME_MS = 250;
const PAUSE_MS = 4000;          // so long a frame is no frame: the page was hidden, or the machine slept
const PATIENCE = 12;            // slow frames; a very slow one counts for three, or the worst machines would wait the longest
const DENSITY_MAX = 2;
const DENSITY_MIN = 0.5;
const STEP = 1.4;

export class Pace {
  density: number;
  private slow = 0;
  private last_ms: number | undefined;

  constructor(pixels: number) {
    this.density = Math.min(pixels || 1, DENSITY_MAX);
  }

  // A frame was painted: what it cost to order it, and how long the page meant to wait before it. True: fewer pixels now.
  painted(local_ms: number, cost_ms: number, rest_ms: number): boolean {
    const frame_ms = local_ms - (this.last_ms ?? local_ms);
    this.last_ms = local_ms;
    const took_ms = Math.max(frame_ms < PAUSE_MS ? frame_ms - rest_ms : 0, cost_ms);
    if (took_ms > VERY_SLOW_FRAME_MS) this.slow += 3;
    else if (took_ms > SLOW_FRAME_MS) this.slow += 1;
    else this.slow = Math.max(0, this.slow - 1);
    if (this.slow < PATIENCE || this.density <= DENSITY_MIN) return false;
    this.slow = 0;
    this.density = Math.max(DENSITY_MIN, this.density / STEP);
    return true;
  }
}
