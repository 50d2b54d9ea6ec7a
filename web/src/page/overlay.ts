// Words on the chart: names of islands where there is room for them, and lines above heads. DOM and not WebGL, because
// text of people is only ever textContent.

import type { Camera } from "../chart/camera";
import type { Island } from "../sea/islands";

const SAID_MS_MIN = 4500;
const SAID_MS_PER_CHARACTER = 70;
const SAID_MS_MAX = 12000;
const BUBBLES_MAX = 40;
const LABELS_MAX = 60;
const LABEL_GAP_PX = 6;

interface Label {
  island: Island;
  element: HTMLElement;
  name: Text;
  count: HTMLElement;
  people: number;
  width: number;
  height: number;
  shown: boolean;
}

export class IslandLabels {
  private labels: Label[] = [];
  private readonly root = document.getElementById("labels")!;

  set(islands: readonly Island[], name: (i: Island) => string, people: (island: number) => number, text: (n: number) => string): void {
    if (this.labels.length !== Math.min(islands.length, LABELS_MAX)) this.make(islands);
    for (const l of this.labels) {
      l.people = people(l.island.id);
      const words = name(l.island);
      const count = l.people > 0 ? text(l.people) : "";
      if (l.name.data === words && l.count.textContent === count) continue;
      l.name.data = words;
      l.count.textContent = count;
      l.width = 0;
    }
    this.labels.sort((a, b) => Number(b.people > 0) - Number(a.people > 0) || b.island.land_m2 - a.island.land_m2);
  }

  // Greedy: important ones first, the others where they do not touch. alpha 0 hides all.
  place(camera: Camera, alpha: number): void {
    this.root.style.opacity = alpha.toFixed(2);
    const taken: [number, number, number, number][] = [];
    for (const l of this.labels) {
      const cx = (l.island.box.x0 + l.island.box.x1) / 2;
      const x = camera.screenX(cx);
      const bottom = camera.screenY(l.island.box.y0);
      const tall = bottom - camera.screenY(l.island.box.y1);
      if (l.width === 0 && alpha > 0) {
        this.show(l, true);
        l.width = l.element.offsetWidth;
        l.height = l.element.offsetHeight;
      }
      // On large islands in the middle, below small ones.
      const y = tall > 2.4 * l.height ? bottom - tall / 2 - l.height / 2 : bottom + 5;
      const box: [number, number, number, number] = [x - l.width / 2 - LABEL_GAP_PX, y, x + l.width / 2 + LABEL_GAP_PX, y + l.height];
      const outside = box[2] < 0 || box[0] > camera.width || box[3] < 0 || box[1] > camera.height;
      const touches = taken.some((t) => box[0] < t[2] && box[2] > t[0] && box[1] < t[3] && box[3] > t[1]);
      const shown = alpha > 0 && !outside && !touches;
      this.show(l, shown);
      if (!shown) continue;
      taken.push(box);
      l.element.style.transform = `translate(${(x - l.width / 2).toFixed(1)}px, ${y.toFixed(1)}px)`;
    }
  }

  private show(l: Label, shown: boolean): void {
    if (l.shown === shown) return;
    l.shown = shown;
    l.element.style.display = shown ? "" : "none";
  }

  private make(islands: readonly Island[]): void {
    this.root.replaceChildren();
    const largest = [...islands].sort((a, b) => b.land_m2 - a.land_m2).slice(0, LABELS_MAX);
    this.labels = largest.map((island) => {
      const element = document.createElement("div");
      element.className = "label";
      const name = document.createTextNode("");
      const count = document.createElement("b");
      element.append(name, count);
      this.root.append(element);
      return { island, element, name, count, people: 0, width: 0, height: 0, shown: true };
    });
  }
}

interface Bubble {
  element: HTMLElement;
  until_ms: number;
  width: number;
  height: number;
}

export class Bubbles {
  private readonly bubbles = new Map<bigint, Bubble>();
  private readonly root = document.getElementById("bubbles")!;

  say(entity: bigint, text: string, own: boolean, local_ms: number): void {
    this.remove(entity);
    if (this.bubbles.size >= BUBBLES_MAX) this.remove(this.bubbles.keys().next().value!);
    const element = document.createElement("div");
    element.className = own ? "bubble own" : "bubble";
    element.textContent = text;
    element.dir = "auto";
    this.root.append(element);
    const lasts = Math.min(SAID_MS_MIN + text.length * SAID_MS_PER_CHARACTER, SAID_MS_MAX);
    this.bubbles.set(entity, { element, until_ms: local_ms + lasts, width: element.offsetWidth, height: element.offsetHeight });
  }

  // where: the head of somebody on the screen, undefined when he is not to be seen.
  place(local_ms: number, where: (entity: bigint) => { x: number; y: number } | undefined): void {
    for (const [entity, b] of this.bubbles) {
      const left_ms = b.until_ms - local_ms;
      if (left_ms <= 0) {
        this.remove(entity);
        continue;
      }
      const at = where(entity);
      b.element.style.visibility = at === undefined ? "hidden" : "visible";
      if (at === undefined) continue;
      b.element.style.opacity = Math.min(1, left_ms / 400).toFixed(2);
      b.element.style.transform = `translate(${(at.x - b.width / 2).toFixed(1)}px, ${(at.y - b.height - 8).toFixed(1)}px)`;
    }
  }

  private remove(entity: bigint): void {
    this.bubbles.get(entity)?.element.remove();
    this.bubbles.delete(entity);
  }
}
