import { readIslands } from "./sea/islands";
import { isObject, readText } from "./sea/json";
import { NotThere } from "./sea/homes";
import { Page } from "./page/page";
import { rememberedLanguage, TEXTS } from "./page/texts";

async function fetchJson(path: string): Promise<unknown> {
  const answer = await fetch(path);
  if (answer.status === 404) throw new NotThere(path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

// A cluster has several; a world in one process names its only one.
function gatesOf(config: unknown): string[] {
  if (!isObject(config)) return [];
  const gates = Array.isArray(config["gates"]) ? config["gates"].map(readText).filter((address) => address !== "") : [];
  return gates.length > 0 ? gates : [readText(config["play"])];
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
  const page = new Page(canvas, readIslands(islands), gatesOf(config), fetchJson);
  Object.assign(globalThis, { seom: () => page.report() });
  page.run(isObject(config) && Array.isArray(config["gates"]));
}

void start();
