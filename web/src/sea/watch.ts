// The spectator's side: how many people are where (for the chart) and, when looking closely, who moves there.

import type { DensityCell, Record as WireRecord } from "../wire/batch";
import { cameraFrame, type CameraWindow } from "../wire/messages";
import { CHUNK_MM } from "../wire/motion";
import type { Gates } from "./gates";
import { Line, type Ending } from "./line";
import { Replica } from "./replica";

export const WINDOW_BLOCKS_MAX = 64;
const BLOCK_CHUNKS = 4;
const WINDOW_MS_MIN = 250; // between two windows: a moving camera makes one a frame
const WHOLE_SEA: CameraWindow = { island: 0, x_mm: 0, y_mm: 0, w_mm: 0, h_mm: 0 };

// The part of the view that a spectator can ask for: whole blocks of 4 x 4 chunks around the middle, at most 64 of them, which
// is as far as a gate listens for one spectator. Of what is awake in there it shows the 64 chunks nearest to the middle.
export function windowAround(island: number, x_m: number, y_m: number, width_m: number, height_m: number): CameraWindow {
  const block_mm = BLOCK_CHUNKS * CHUNK_MM;
  const block_m = block_mm / 1000;
  const across = (m: number) => Math.ceil(m / block_m) + 1;
  let columns = Math.min(across(width_m), WINDOW_BLOCKS_MAX);
  let rows = Math.min(across(height_m), WINDOW_BLOCKS_MAX);
  if (columns * rows > WINDOW_BLOCKS_MAX) {
    const wish = Math.floor(Math.sqrt((WINDOW_BLOCKS_MAX * columns) / rows));
    columns = Math.min(columns, Math.max(1, wish));
    rows = Math.min(rows, Math.floor(WINDOW_BLOCKS_MAX / columns));
  }
  const bx = Math.max(0, Math.round(x_m / block_m - columns / 2));
  const by = Math.max(0, Math.round(y_m / block_m - rows / 2));
  // One mm short of the next block's edge, which would otherwise count as touched.
  return { island, x_mm: bx * block_mm, y_mm: by * block_mm, w_mm: columns * block_mm - 1, h_mm: rows * block_mm - 1 };
}

export interface IslandDensity {
  cell_m: number;
  cells: DensityCell[];
  people: number;
}

export interface WatchEvents {
  said(entity: bigint, text: string): void;
  ended(ending: Ending): void;
  opened(): void;
  density(): void;
}

export class Watch {
  readonly line: Line;
  readonly replica = new Replica();
  readonly density = new Map<number, IslandDensity>();
  private number = 0;
  private wanted: CameraWindow = WHOLE_SEA;
  private sent: CameraWindow | undefined;
  private sent_ms = -Infinity;

  constructor(gates: Gates, private readonly events: WatchEvents) {
    this.line = new Line({
      gates,
      hello: () => ({ spectator: true, client: "page" }),
      events: {
        welcome: () => this.opened(),
        record: (record, now_ms) => this.record(record, now_ms),
        answer: () => undefined,
        ended: (ending) => this.events.ended(ending),
      },
    });
  }

  get people(): number {
    let sum = 0;
    for (const d of this.density.values()) sum += d.people;
    return sum;
  }

  // undefined: the chart only.
  look(window: CameraWindow | undefined): void {
    this.wanted = window ?? WHOLE_SEA;
  }

  // Call it every frame.
  turn(local_ms: number): void {
    if (this.line.state !== "open" || sameWindow(this.wanted, this.sent)) return;
    const leaves = this.wanted.island !== (this.sent?.island ?? 0);
    if (!leaves && local_ms - this.sent_ms < WINDOW_MS_MIN) return;
    if (!this.line.send(cameraFrame(++this.number, this.wanted))) return;
    this.sent = this.wanted;
    this.sent_ms = local_ms;
    if (this.wanted.island === 0) this.replica.clear();
  }

  private opened(): void {
    this.sent = undefined;
    this.replica.clear();
    this.events.opened();
  }

  private record(record: WireRecord, now_ms: number): void {
    if (record.kind === "density") {
      const people = record.cells.reduce((sum, c) => sum + c.people, 0);
      this.density.set(record.island, { cell_m: record.cell_m, cells: record.cells, people });
      this.events.density();
    } else if (record.kind === "say") {
      this.events.said(record.entity, record.text);
    } else {
      this.replica.apply(record, now_ms);
    }
  }
}

function sameWindow(a: CameraWindow, b: CameraWindow | undefined): boolean {
  return b !== undefined && a.island === b.island && a.x_mm === b.x_mm && a.y_mm === b.y_mm && a.w_mm === b.w_mm && a.h_mm === b.h_mm;
}
