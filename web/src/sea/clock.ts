// World time, estimated: an offset to the page's own clock, taken from the exchange with the shortest round trip among
// the last ones, and slewed, so that nothing on the chart ever jumps because a clock was mended.

const SAMPLES = 8;
const SLEW_MS_PER_S = 50;
const STEP_MS = 1000; // beyond this the estimate was worthless (sleep, another server): take the new one at once

interface Sample {
  round_trip_ms: number;
  offset_ms: number;
}

export class WorldClock {
  private samples: Sample[] = [];
  private offset_ms: number | undefined;
  private slewed_at_ms = 0;

  get known(): boolean {
    return this.offset_ms !== undefined;
  }

  // From Welcome: no round trip is known, any exchange is better.
  greeted(world_ms: number, local_ms: number): void {
    this.add({ round_trip_ms: Infinity, offset_ms: world_ms - local_ms }, local_ms);
  }

  exchanged(sent_ms: number, world_ms: number, received_ms: number): void {
    const round_trip_ms = received_ms - sent_ms;
    if (!(round_trip_ms >= 0)) return;
    this.add({ round_trip_ms, offset_ms: world_ms + round_trip_ms / 2 - received_ms }, received_ms);
  }

  now(local_ms: number): number {
    if (this.offset_ms === undefined) return 0;
    const target = this.best();
    const most = (SLEW_MS_PER_S * Math.max(local_ms - this.slewed_at_ms, 0)) / 1000;
    this.offset_ms += Math.min(Math.max(target - this.offset_ms, -most), most);
    this.slewed_at_ms = Math.max(local_ms, this.slewed_at_ms);
    return local_ms + this.offset_ms;
  }

  private add(sample: Sample, local_ms: number): void {
    const doubt_ms = STEP_MS + (Number.isFinite(sample.round_trip_ms) ? sample.round_trip_ms / 2 : 0);
    if (this.offset_ms === undefined || Math.abs(sample.offset_ms - this.offset_ms) > doubt_ms) {
      this.samples = [];
      this.offset_ms = sample.offset_ms;
      this.slewed_at_ms = local_ms;
    }
    this.samples.push(sample);
    if (this.samples.length > SAMPLES) this.samples.shift();
  }

  private best(): number {
    return this.samples.reduce((a, b) => (b.round_trip_ms < a.round_trip_ms ? b : a)).offset_ms;
  }
}
