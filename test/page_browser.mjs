// What scenes of the page in Debian's Chromium share: a world of their own, browsers that visit it, land to walk on, and the
// patience that two busy cores need: they wait for what has to come instead of for a while.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..");
export const SEOM = resolve(process.argv[2] ?? process.env.SEOM ?? join(ROOT, "build/seom"));
export const SHOTS = join(ROOT, "build/page-shots");
export const PATIENCE_MS = 60_000; // the graphics are drawn by the processor here
export const DESKTOP = { width: 800, height: 560 };
export const FREE_M = 40;   // so far from a meadow's middle there is land all around: two seconds on horseback
const REACH_M = 120;        // so far from the harbour the meadow is looked for
const SCENE_MS = 560_000;   // ./check ends a scene after ten minutes; before that it shall say what is missing
const SCENE_END = Date.now() + SCENE_MS;
const SKIPPED = 77;
const CHROMIUM = "/usr/bin/chromium";
const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-quic",
  "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
];
const CLICK_PX = [240, 140]; // so far from the middle a click meets no card

if (!existsSync(CHROMIUM)) {
  console.log(`1..0 # skip there is no ${CHROMIUM}`);
  process.exit(SKIPPED);
}
execFileSync(join(ROOT, "web/check.py"), ["packages"], { stdio: ["ignore", "inherit", "inherit"] });
const { chromium } = await import(join(ROOT, "web/node_modules/playwright-core/index.mjs"));

export function openBrowser(profile) {
  return chromium.launch({ executablePath: CHROMIUM, headless: true, args: FLAGS, env: { ...process.env, HOME: profile } });
}

export const pause = (ms) => new Promise((done) => setTimeout(done, ms));

export function assert(truth, ...what) {
  if (!truth) throw new Error(what.map((w) => (typeof w === "string" ? w : JSON.stringify(w))).join(" "));
}

// Asks again until look() answers something true; fails with the last answer of tell().
export async function until(what, look, tell = look, patience_ms = PATIENCE_MS) {
  const end = Math.min(Date.now() + patience_ms, SCENE_END);
  for (;;) {
    const answer = await look();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`${what}: never came; last: ${JSON.stringify(await tell())}`);
    await pause(100);
  }
}

export const distance = (a, b) => Math.hypot(a.x_mm - b.x_mm, a.y_mm - b.y_mm);
export const along = (from, to, way) => (to.x_mm - from.x_mm) * way.dx + (to.y_mm - from.y_mm) * way.dy;

// ---- land ----

// The outline of an island, as every page gets it.
export class Land {
  static async of(world, island) {
    const { islands } = await fetch(`${world.http}/islands.json`).then((r) => r.json());
    const land = new Land();
    land.rings = islands.find((i) => i.id === island).rings;
    return land;
  }

  // By the even-odd rule.
  has({ x_mm, y_mm }) {
    let odd = false;
    for (const r of this.rings) {
      for (let i = 0, j = r.length - 2; i < r.length; j = i, i += 2) {
        if (r[i + 1] > y_mm !== r[j + 1] > y_mm && x_mm < ((r[j] - r[i]) * (y_mm - r[i + 1])) / (r[j + 1] - r[i + 1]) + r[i]) odd = !odd;
      }
    }
    return odd;
  }

  // How far one gets from there in a direction with land to both hands, in m.
  free(from, dx, dy, most_m) {
    for (let m = 1; m <= most_m; m++) {
      for (const side of m > 2 ? [-2, 0, 2] : [0]) {
        if (!this.has({ x_mm: from.x_mm + (m * dx - side * dy) * 1000, y_mm: from.y_mm + (m * dy + side * dx) * 1000 })) return m - 1;
      }
    }
    return most_m;
  }

  around(place, most_m) {
    const ways = Array.from({ length: 16 }, (_, i) => [Math.cos((i * Math.PI) / 8), Math.sin((i * Math.PI) / 8)]);
    return Math.min(...ways.map(([dx, dy]) => this.free(place, dx, dy, most_m)));
  }

  reaches(from, to) {
    const mm = distance(from, to);
    return mm < 1 || this.free(from, (to.x_mm - from.x_mm) / mm, (to.y_mm - from.y_mm) / mm, Math.ceil(mm / 1000)) >= mm / 1000;
  }

  // The nearest place with free land all around to which all of them can walk straight on.
  meadow(walkers) {
    let best;
    for (let r = 0; r <= REACH_M; r += 8) {
      for (let i = 0; i < (r === 0 ? 1 : 32); i++) {
        const angle = (i * Math.PI) / 16;
        const place = { x_mm: Math.round(walkers[0].x_mm + Math.cos(angle) * r * 1000), y_mm: Math.round(walkers[0].y_mm + Math.sin(angle) * r * 1000) };
        if (!this.has(place) || !walkers.every((w) => this.reaches(w, place))) continue;
        const free_m = this.around(place, FREE_M);
        if (best === undefined || free_m > best.free_m) best = { ...place, free_m };
      }
      if (best?.free_m === FREE_M) break;
    }
    return best;
  }
}

// ---- the world ----

async function freePort() {
  for (let port = 20000 + (process.pid % 5000) * 2; port < 32000; port += 1) {
    const server = createServer().listen(port, "127.0.0.1");
    const free = await Promise.race([once(server, "listening").then(() => true), once(server, "error").then(() => false)]);
    if (!free) continue;
    await new Promise((done) => server.close(done));
    if (!freePort.given.has(port)) {
      freePort.given.add(port);
      return port;
    }
  }
  throw new Error("no free port");
}
freePort.given = new Set();

export class World {
  static async open(bots) {
    const world = new World();
    world.bots = bots;
    world.data = mkdtempSync(join(tmpdir(), "seom-page-"));
    world.play_port = await freePort();
    world.http_port = await freePort();
    world.http = `http://127.0.0.1:${world.http_port}`;
    await world.start();
    return world;
  }

  async start() {
    this.log = join(this.data, "log");
    const log = openSync(this.log, "a");
    const play = ["--play", `127.0.0.1:${this.play_port}`, "--http", `127.0.0.1:${this.http_port}`];
    this.process = spawn(SEOM, ["dev", "--data", join(this.data, "world"), ...play, "--bots", String(this.bots)], { stdio: ["ignore", log, log] });
    this.ended_by = undefined;
    this.told_to_end = false;
    this.ended = once(this.process, "exit").then(([code, signal]) => (this.ended_by = signal ?? code));
    await until("the world opens", async () => (await this.status()) !== undefined, () => readFileSync(this.log, "utf8"));
  }

  async status() {
    return fetch(`${this.http}/status`).then((r) => r.json()).catch(() => undefined);
  }

  async end(signal) {
    this.told_to_end = true;
    this.process.kill(signal);
    await this.ended;
  }

  async close() {
    if (this.ended_by === undefined) await this.end("SIGTERM");
    rmSync(this.data, { recursive: true, force: true });
  }
}

// ---- browsers ----

// Somewhere to the left or to the right of the way.
function ashore(own, place) {
  const aside = (Math.random() < 0.5 ? 1 : -1) * (0.3 + Math.random() * 0.4) * Math.PI;
  const angle = Math.atan2(place.y_mm - own.y_mm, place.x_mm - own.x_mm) + aside;
  const way_mm = 5000 + Math.random() * 15000;
  return { x_mm: own.x_mm + way_mm * Math.cos(angle), y_mm: own.y_mm + way_mm * Math.sin(angle) };
}

export class Visitor {
  static async open(browser, url, options = {}) {
    const v = new this();
    v.context = await browser.newContext({ viewport: DESKTOP, locale: "en-US", ...options });
    v.context.setDefaultTimeout(PATIENCE_MS);
    await v.visit(url);
    return v;
  }

  async visit(url) {
    this.page = await this.context.newPage();
    this.errors = [];
    this.page.on("pageerror", (e) => this.errors.push(e.message));
    this.page.on("console", (m) => m.type() === "error" && this.errors.push(m.text()));
    await this.page.goto(url);
    await this.ready();
  }

  // A page that was loaded has not begun yet: it fetches the islands first.
  ready() {
    return this.page.waitForFunction(() => globalThis.seom !== undefined);
  }

  report() {
    return this.page.evaluate(() => globalThis.seom());
  }

  until(what, look) {
    return until(what, async () => look(await this.report()), () => this.report());
  }

  async enter() {
    await this.page.click("#enter");
    return this.inside();
  }

  inside() {
    return this.until("an avatar", (r) => r.phase === "in" && r.playing === "open" && r.own && r);
  }

  stands() {
    return this.until("it stands", (r) => r.own && !r.own.moves && !r.own.target && r.own);
  }

  // Holds a key until the avatar came so far.
  async hold(way, mm) {
    const { own } = await this.report();
    await this.page.keyboard.down(way.key);
    try {
      await this.until(`${mm} mm of way by ${way.key} from ${JSON.stringify(own)}`, (r) => r.own && along(own, r.own, way) >= mm);
    } finally {
      await this.page.keyboard.up(way.key);
    }
    return this.stands();
  }

  // Walks there by as many clicks as it takes. Whom two of them did not move stands at a shore, and goes along it for a while.
  async goTo(place, within_mm) {
    const end = Date.now() + PATIENCE_MS;
    for (let was = null, stuck = 0; ; ) {
      const own = await this.stands();
      if (distance(own, place) <= within_mm) return own;
      assert(Date.now() < end, "it never came to", place, "but stands at", own);
      stuck = was !== null && distance(own, was) < 300 ? stuck + 1 : 0;
      was = own;
      const to = stuck < 2 ? place : ashore(own, place);
      const { scale } = await this.report();
      const px = [((to.x_mm - own.x_mm) / 1000) * scale, ((own.y_mm - to.y_mm) / 1000) * scale];
      const cut = Math.min(1, CLICK_PX[0] / Math.max(Math.abs(px[0]), 1), CLICK_PX[1] / Math.max(Math.abs(px[1]), 1));
      // What lies or stands under the pointer may be meant instead of the ground: never twice quite the same.
      const aside = () => (Math.random() - 0.5) * Math.min(within_mm / 1000, 1) * scale;
      await this.page.mouse.click(DESKTOP.width / 2 + px[0] * cut + aside(), DESKTOP.height / 2 + px[1] * cut + aside());
    }
  }

  // Until this browser shows another one's avatar where that one shows it itself. Both are asked again and again: a page
  // walks at once, and a server that heard of it late may put the avatar back.
  async sees(other) {
    let own;
    let seen;
    await until("to see each other's truth", async () => {
      own = await other.stands();
      seen = (await this.report()).near.find((m) => m.entity === own.entity);
      return seen && distance(seen, own) < 500;
    }, () => ({ own, seen }));
    return { ...own, look: seen.look };
  }

  // Notes from now on, frame by frame, where somebody is drawn and what motion was told of him.
  watch(entity) {
    return this.page.evaluate((who) => {
      const frames = (globalThis.watched = []);
      let number = 0;
      const frame = () => {
        const { now_ms, near } = globalThis.seom();
        const m = near.find((o) => o.entity === who);
        number += 1;
        if (m) frames.push({ number, now_ms, x_mm: m.x_mm, y_mm: m.y_mm, look: m.look, told: m.told });
        if (globalThis.watched === frames) requestAnimationFrame(frame);
      };
      requestAnimationFrame(frame);
    }, entity);
  }

  watched() {
    return this.page.evaluate(() => globalThis.watched);
  }

  // By the list, as a person does; who makes an avatar then arrives there.
  async toIsland(id) {
    await this.page.click("#panel-open");
    await this.page.click(`#islands button[data-island="${id}"]`);
    await this.page.click("#panel-open");
    await this.landed();
  }

  landed() {
    return this.until("the flight ends", (r) => !r.flying);
  }

  shot(name) {
    return this.page.screenshot({ path: join(SHOTS, `${name}.png`) });
  }

  async close() {
    await this.context.close();
  }
}

// Colours in steps: the eye hardly sees it, and the file is a third.
export async function thriftyPng(page, png, step) {
  const base64 = await page.evaluate(async ([text, step]) => {
    const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${text}`)).blob());
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    const c = canvas.getContext("2d");
    c.drawImage(bitmap, 0, 0);
    const image = c.getImageData(0, 0, bitmap.width, bitmap.height);
    for (let i = 0; i < image.data.length; i++) if (i % 4 !== 3) image.data[i] = Math.min(255, Math.round(image.data[i] / step) * step);
    c.putImageData(image, 0, 0);
    const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: "image/png" })).arrayBuffer());
    return btoa(Array.from(bytes, (b) => String.fromCharCode(b)).join(""));
  }, [png.toString("base64"), step]);
  return Buffer.from(base64, "base64");
}
