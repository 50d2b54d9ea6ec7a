// Which home decides for whom: a cluster tells it once a second for its map (/nodes.json, /people.json). A world in one
// process knows no such thing, then there is nothing to see.

import { isObject, readNumber, readText } from "./json";

const EVERY_MS = 1000;
const FADE_MS = 5000; // people of a home that is gone, until another has them
const DOTS_MAX = 40000;

export interface HomeRow {
  name: string;
  colour: number;
  players: number;
  state: string; // "serving", "silent", ...
}

export interface Dot {
  island: number;
  x_m: number; // from the island's corner
  y_m: number;
  colour: number;
  hollow: boolean; // nobody decides for him at the moment
  alpha: number;
}

export function readHomes(json: unknown): HomeRow[] {
  const nodes = isObject(json) && Array.isArray(json["nodes"]) ? json["nodes"] : [];
  return nodes.filter((n): n is Record<string, unknown> => isObject(n) && n["role"] === "home").map((n) => ({
    name: readText(n["name"]), colour: readNumber(n["colour"]), players: readNumber(n["players"]), state: readText(n["state"]),
  }));
}

export function readDots(json: unknown): Dot[] {
  const homes = isObject(json) && Array.isArray(json["homes"]) ? json["homes"] : [];
  const dots: Dot[] = [];
  for (const home of homes) {
    if (!isObject(home) || !Array.isArray(home["people"])) continue;
    const gone = home["gone"] === true;
    const alpha = gone ? Math.max(0, 1 - readNumber(home["age_ms"]) / FADE_MS) : 1;
    if (alpha === 0) continue;
    for (const one of home["people"]) {
      if (!Array.isArray(one) || one.length < 4 || dots.length === DOTS_MAX) continue;
      const [island, x_m, y_m, lingers] = one.map(readNumber) as [number, number, number, number];
      dots.push({ island, x_m, y_m, colour: readNumber(home["colour"]), hollow: gone || lingers !== 0, alpha });
    }
  }
  return dots;
}

export class Homes {
  rows: HomeRow[] = [];
  dots: Dot[] = [];

  constructor(private readonly fetchJson: (path: string) => Promise<unknown>, private readonly changed: () => void) {}

  // Once: asks for as long as there is an answer.
  async run(): Promise<void> {
    for (;;) {
      if (document.visibilityState === "visible" && !(await this.ask())) return;
      await new Promise((done) => setTimeout(done, EVERY_MS));
    }
  }

  // False: this world has no homes to tell of.
  async ask(): Promise<boolean> {
    try {
      const [nodes, people] = await Promise.all([this.fetchJson("/nodes.json"), this.fetchJson("/people.json")]);
      this.rows = readHomes(nodes);
      this.dots = readDots(people);
    } catch (error) {
      this.dots = [];
      if (error instanceof NotThere) return false;
    }
    this.changed();
    return true;
  }
}

// What was asked for does not exist here, now and later.
export class NotThere extends Error {}
