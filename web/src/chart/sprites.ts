// The drawn beings, seen from above and facing east, painted once into an atlas: a coat that takes the tint of its owner
// and a top that keeps its own colours. Four frames of a step each for walkers, riders and animals.

const CELL_PX = 128;
export const ATLAS_CELLS = 8; // a side

export interface Sprite {
  coat: number; // first cell; its frames follow
  top: number;
  coat_frames: number; // 1 or 4
  top_frames: number;
  metres: number;      // size of the cell in the world
  pixels_min: number;  // never smaller than this on the screen
  shadow: number;      // 0..1
}

type Paint = (c: CanvasRenderingContext2D, swing: number) => void;

function blob(c: CanvasRenderingContext2D, x: number, y: number, rx: number, ry: number, fill: string | CanvasGradient, turn = 0): void {
  c.fillStyle = fill;
  c.beginPath();
  c.ellipse(x, y, rx, ry, turn, 0, Math.PI * 2);
  c.fill();
}

// Light from above left: paler middle, darker rim, still grey so that the tint multiplies.
function shaded(c: CanvasRenderingContext2D, x: number, y: number, r: number, pale = "#fff", dark = "#b9b9b9"): CanvasGradient {
  const g = c.createRadialGradient(x - r * 0.25, y - r * 0.3, r * 0.1, x, y, r * 1.1);
  g.addColorStop(0, pale);
  g.addColorStop(1, dark);
  return g;
}

// The cell spans -64..64 in both directions; x is forward.
const walkerCoat: Paint = (c, swing) => {
  blob(c, 4 + swing * 15, -13, 11, 7, "#4b4038");
  blob(c, 4 - swing * 15, 13, 11, 7, "#4b4038");
  blob(c, 6 - swing * 12, -29, 10, 8, "#d6d6d6");
  blob(c, 6 + swing * 12, 29, 10, 8, "#d6d6d6");
  blob(c, 0, 0, 19, 33, shaded(c, 0, 0, 34));
};
const walkerTop: Paint = (c, swing) => {
  blob(c, 15 - swing * 12, -30, 6, 6, "#e9bf98");
  blob(c, 15 + swing * 12, 30, 6, 6, "#e9bf98");
  blob(c, 5, 0, 18, 17, "#edc7a2");
  blob(c, 0, 0, 18, 18.5, shaded(c, 0, 0, 18, "#5a463a", "#2a201b"));
};

const riderCoat: Paint = (c, swing) => {
  blob(c, 2, 0, 14, 22, shaded(c, 2, 0, 24));
  blob(c, 12, -16 + swing * 1.5, 9, 6, "#d6d6d6", 0.4);
  blob(c, 12, 16 - swing * 1.5, 9, 6, "#d6d6d6", -0.4);
};
const riderTop: Paint = (c) => {
  blob(c, 6, 0, 11, 10.5, "#edc7a2");
  blob(c, 2, 0, 11.5, 11.5, shaded(c, 2, 0, 12, "#5a463a", "#2a201b"));
};
// A horse of Jeju; drawn before its rider.
const horse: Paint = (c, swing) => {
  blob(c, 30 + swing * 7, -12, 9, 4.5, "#3b2819");
  blob(c, 30 - swing * 7, 12, 9, 4.5, "#3b2819");
  blob(c, -30 - swing * 7, -12, 9, 4.5, "#3b2819");
  blob(c, -30 + swing * 7, 12, 9, 4.5, "#3b2819");
  c.strokeStyle = "#2e1f14";
  c.lineWidth = 6;
  c.lineCap = "round";
  c.beginPath();
  c.moveTo(-42, 0);
  c.quadraticCurveTo(-54, swing * 5, -60, swing * 9);
  c.stroke();
  blob(c, 0, 0, 45, 17, shaded(c, 0, 0, 46, "#a8703f", "#6d4323"));
  blob(c, 43, 0, 15, 9, shaded(c, 43, 0, 15, "#a8703f", "#6d4323"));
  blob(c, 54, 0, 7, 6, "#7d5230");
  blob(c, 36, 0, 14, 3.5, "#2e1f14");
};

const animalCoat: Paint = (c, swing) => {
  for (const [x, y, s] of [[22, -13, 1], [22, 13, -1], [-20, -13, -1], [-20, 13, 1]] as const) {
    blob(c, x + swing * s * 8, y, 8, 5, "#8d8d8d");
  }
  blob(c, 0, 0, 33, 18, shaded(c, 0, 0, 34));
  blob(c, 35, 0, 14, 11, shaded(c, 35, 0, 14));
  blob(c, 30, -11, 7, 4, "#c9c9c9", -0.7);
  blob(c, 30, 11, 7, 4, "#c9c9c9", 0.7);
};
const animalTop: Paint = (c, swing) => {
  blob(c, 47, 0, 4, 4.5, "#3a2a22");
  blob(c, -33, swing * 4, 6, 5, "#fbf6ea");
  for (const [x, y] of [[8, -7], [-4, 6], [-14, -6], [16, 6], [-22, 4]] as const) blob(c, x, y, 2.6, 2.2, "rgba(255,250,235,.75)");
};

function canopy(seed: number): Paint {
  return (c) => {
    let n = seed;
    const chance = () => {
      n = (n * 1103515245 + 12345) & 0x7fffffff;
      return n / 0x7fffffff;
    };
    for (const [radius, light, count] of [[42, "#c7c7c7", 9], [30, "#e2e2e2", 7], [17, "#ffffff", 4]] as const) {
      for (let i = 0; i < count; i++) {
        const angle = (i / count) * Math.PI * 2 + chance();
        const r = radius * (0.55 + chance() * 0.15);
        const size = radius * (0.42 + chance() * 0.14);
        const x = Math.cos(angle) * r - radius * 0.04;
        const y = Math.sin(angle) * r - radius * 0.06;
        blob(c, x, y, size, size, light);
      }
      blob(c, 0, 0, radius * 0.7, radius * 0.7, light);
    }
  };
}
// Twigs of a bare crown; buds, blossom and fruit are strewn over whatever lies below.
const twigs: Paint = (c) => {
  c.strokeStyle = "#7a6248";
  c.lineCap = "round";
  for (let i = 0; i < 9; i++) {
    const angle = (i / 9) * Math.PI * 2 + (i % 3) * 0.2;
    const length = 30 + (i % 4) * 5;
    c.lineWidth = 5;
    c.beginPath();
    c.moveTo(0, 0);
    c.lineTo(Math.cos(angle) * length * 0.55, Math.sin(angle) * length * 0.55);
    c.stroke();
    c.lineWidth = 2.5;
    for (const fork of [-0.35, 0.3]) {
      c.beginPath();
      c.moveTo(Math.cos(angle) * length * 0.5, Math.sin(angle) * length * 0.5);
      c.lineTo(Math.cos(angle + fork) * length, Math.sin(angle + fork) * length);
      c.stroke();
    }
  }
  blob(c, 0, 0, 6, 6, "#6a533c");
};

function strewn(colors: readonly string[], size: number, count: number): Paint {
  return (c) => {
    for (let i = 0; i < count; i++) {
      // The sunflower's spiral: even, and never in rows.
      const angle = i * 2.39996;
      const r = 40 * Math.sqrt((i + 0.5) / count);
      blob(c, Math.cos(angle) * r, Math.sin(angle) * r, size, size, colors[i % colors.length]!);
    }
  };
}
const buds = strewn(["#dbe8a6", "#c7da8c"], 3.2, 26);
const blossom = strewn(["#fff3f3", "#ffd9e0", "#fbc3d0"], 5.4, 34);
const fruit = strewn(["#f08a24", "#f6a53a"], 4.8, 17);
const nothing: Paint = () => undefined;
const stone: Paint = (c) => {
  blob(c, 2, 2, 36, 27, "#a9a9a9", 0.3);
  blob(c, -3, -4, 28, 19, "#e6e6e6", 0.3);
};
// What lies on the ground: a heap of fruit on a leaf, a charm on its cord, a corded box. What stands: a chest with bands.
const heap: Paint = (c) => {
  blob(c, 3, 4, 40, 32, "#5f7f3a", 0.4);
  for (const [x, y] of [[-14, -10], [12, -12], [0, 14], [-20, 12], [22, 10], [0, -2]] as const) {
    blob(c, x, y, 15, 15, shaded(c, x, y, 15, "#ffc168", "#e07514"));
  }
};
const charm: Paint = (c) => {
  c.strokeStyle = "#c33a2c";
  c.lineWidth = 6;
  c.beginPath();
  c.arc(-16, 0, 24, 0, Math.PI * 2);
  c.stroke();
  blob(c, 18, 0, 19, 15, shaded(c, 18, 0, 19, "#7fc3d8", "#23618c"));
  blob(c, 18, 0, 6, 6, "#fdf6e6");
};
function boxy(c: CanvasRenderingContext2D, width: number, height: number, wood: string): void {
  c.fillStyle = wood;
  c.strokeStyle = "#4c2f16";
  c.lineWidth = 5;
  c.beginPath();
  c.rect(-width / 2, -height / 2, width, height);
  c.fill();
  c.stroke();
}
const parcel: Paint = (c) => {
  boxy(c, 64, 64, "#c79a62");
  c.strokeStyle = "#b23a26";
  c.lineWidth = 7;
  c.beginPath();
  c.moveTo(0, -32);
  c.lineTo(0, 32);
  c.moveTo(-32, 0);
  c.lineTo(32, 0);
  c.stroke();
};
const chest: Paint = (c) => {
  boxy(c, 104, 68, "#9a6433");
  c.fillStyle = "#b97f46";
  c.fillRect(-49, -31, 98, 26);
  c.fillStyle = "#d8b24a";
  for (const x of [-36, 26]) c.fillRect(x, -33, 10, 66);
  blob(c, 0, 2, 11, 11, "#e9c95f");
  blob(c, 0, 3, 4, 5, "#4c2f16");
};
const ring: Paint = (c) => {
  c.strokeStyle = "#fff";
  c.lineWidth = 7;
  c.beginPath();
  c.arc(0, 0, 52, 0, Math.PI * 2);
  c.stroke();
  c.beginPath();
  c.moveTo(58, -9);
  c.lineTo(64, 0);
  c.lineTo(58, 9);
  c.fillStyle = "#fff";
  c.fill();
};
const disc: Paint = (c) => {
  const g = c.createRadialGradient(0, 0, 8, 0, 0, 60);
  g.addColorStop(0, "rgba(255,255,255,.55)");
  g.addColorStop(1, "rgba(255,255,255,0)");
  blob(c, 0, 0, 60, 60, g);
};

const SWINGS = [0, 1, 0, -1];

// Rows of the atlas in cells, in this order.
const PLAN: [string, Paint, number][] = [
  ["walker_coat", walkerCoat, 4], ["walker_top", walkerTop, 4],
  ["horse", horse, 4], ["rider_coat", riderCoat, 4], ["rider_top", riderTop, 1],
  ["animal_coat", animalCoat, 4], ["animal_top", animalTop, 4],
  ["tree_a", canopy(7), 1], ["tree_b", canopy(99), 1], ["tree_c", canopy(1234), 1],
  ["twigs", twigs, 1], ["buds", buds, 1], ["blossom", blossom, 1], ["fruit", fruit, 1], ["stone", stone, 1], ["heap", heap, 1], ["charm", charm, 1], ["parcel", parcel, 1], ["chest", chest, 1], ["ring", ring, 1], ["disc", disc, 1], ["nothing", nothing, 1],
];

export const CELL: Record<string, number> = {};
PLAN.reduce((at, [name, , frames]) => {
  CELL[name] = at;
  return at + frames;
}, 0);

export function paintAtlas(): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = CELL_PX * ATLAS_CELLS;
  const c = canvas.getContext("2d")!;
  for (const [name, paint, frames] of PLAN) {
    for (let f = 0; f < frames; f++) {
      const cell = CELL[name]! + f;
      c.save();
      c.translate(((cell % ATLAS_CELLS) + 0.5) * CELL_PX, (Math.floor(cell / ATLAS_CELLS) + 0.5) * CELL_PX);
      c.scale(0.94, 0.94); // a margin, so that neighbours do not bleed in small mip levels
      paint(c, frames === 4 ? SWINGS[f]! : 0);
      c.restore();
    }
  }
  return canvas;
}

const still = { coat_frames: 1, top_frames: 1, pixels_min: 4, shadow: 1 };
export const WALKER: Sprite = { coat: CELL["walker_coat"]!, top: CELL["walker_top"]!, coat_frames: 4, top_frames: 4, metres: 2.5, pixels_min: 20, shadow: 0.8 };
export const HORSE: Sprite = { coat: CELL["nothing"]!, top: CELL["horse"]!, coat_frames: 1, top_frames: 4, metres: 4.2, pixels_min: 27, shadow: 0.9 };
export const RIDER: Sprite = { coat: CELL["rider_coat"]!, top: CELL["rider_top"]!, coat_frames: 4, top_frames: 1, metres: 4.2, pixels_min: 27, shadow: 0 };
export const ANIMAL: Sprite = { coat: CELL["animal_coat"]!, top: CELL["animal_top"]!, coat_frames: 4, top_frames: 4, metres: 2.6, pixels_min: 15, shadow: 0.8 };
const crown = (coat: string, top: string): Sprite => ({ ...still, coat: CELL[coat]!, top: CELL[top]!, metres: 6.5, pixels_min: 6 });
// By stage of the year (src/rules/sample.h), each in three shapes.
export const TREES: Sprite[][] = [
  [crown("nothing", "twigs")],
  ...["buds", "blossom", "fruit"].map((top) => ["tree_a", "tree_b", "tree_c"].map((shape) => crown(shape, top))),
];
export const STONE: Sprite = { ...still, coat: CELL["stone"]!, top: CELL["nothing"]!, metres: 1.8 };
const laid = (top: string, metres: number): Sprite => ({ ...still, coat: CELL["nothing"]!, top: CELL[top]!, metres, pixels_min: 14 });
// By kind of goods, as they lie on the ground; what this page does not know lies there as a parcel.
export const PARCEL: Sprite = laid("parcel", 1.3);
export const DROPS: { [goods: number]: Sprite } = { 1: laid("heap", 1.4), 2: laid("charm", 1.2), 3: PARCEL };
export const CHEST: Sprite = { ...laid("chest", 2.2), pixels_min: 20 };
export const RING: Sprite = { ...still, coat: CELL["ring"]!, top: CELL["nothing"]!, metres: 3.6, pixels_min: 36, shadow: 0 };
export const DISC: Sprite = { ...RING, coat: CELL["disc"]!, metres: 5, pixels_min: 50 };
