import { readIslands } from "./sea/islands";
import { playUrl } from "./page/address";
import { Page } from "./page/page";
import { rememberedLanguage, TEXTS } from "./page/texts";

async function fetchJson(path: string): Promise<unknown> {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

function sorry(text: string): void {
  document.getElementById("banner-text")!.textContent = text;
  document.getElementById("enter")!.hidden = true;
  document.getElementById("banner-act")!.hidden = true;
  document.getElementById("banner")!.hidden = false;
}

async function start(): Promise<void> {
  const texts = TEXTS[rememberedLanguage()];
  const canvas = document.getElementById("chart") as HTMLCanvasElement;
  if (document.createElement("canvas").getContext("webgl2") === null) return sorry(texts.no_webgl);
  let config: unknown;
  let islands: unknown;
  try {
    [config, islands] = await Promise.all([fetchJson("/config.json"), fetchJson("/islands.json")]);
  } catch {
    return sorry(texts.no_islands);
  }
  // A lost graphics context comes back empty: the page starts over, the ticket brings the avatar back.
  canvas.addEventListener("webglcontextlost", () => location.reload());
  const page = new Page(canvas, readIslands(islands), playUrl((config as { play: string }).play, location));
  Object.assign(globalThis, { seom: () => page.report() });
  page.run();
}

void start();
