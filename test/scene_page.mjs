#!/usr/bin/env node
// The page in Debian's Chromium against a true world: the chart is drawn, people are seen, two browsers walk and talk to
// each other, an avatar comes back by its ticket, after a crash of the server and on a phone, in English and Korean.
//
//   scene_page.mjs [PATH_TO_SEOM]     prints TAP; screenshots stand in build/page-shots/
//   SEOM_SHOT=docs/page.png           only takes the picture of a fuller world for the docs
//
// It must say the same on two busy cores that draw three frames a second as on a fast machine. So it waits for what has to
// come instead of for a while, judges movement by world time and by the motions that were told, and lets its avatars walk
// where the chart says that there is nothing but land.
//
// check: full

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const SEOM = resolve(process.argv[2] ?? process.env.SEOM ?? join(ROOT, "build/seom"));
const CHROMIUM = "/usr/bin/chromium";
const SHOTS = join(ROOT, "build/page-shots");
const SHOT = process.env.SEOM_SHOT;
const BOTS = SHOT ? 200 : 20;
const PATIENCE_MS = 60_000; // the graphics are drawn by the processor here
const SCENE_MS = 560_000;   // ./check ends a scene after ten minutes; before that it shall say what is missing
const SCENE_END = Date.now() + SCENE_MS;
const SKIPPED = 77;
const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-quic",
  "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
];
const DESKTOP = { width: 800, height: 560 };
const PHONE = { width: 390, height: 760 };
const FREE_M = 40;          // so far from a meadow's middle there is land all around: two seconds on horseback
const REACH_M = 120;        // so far from the harbour the meadow is looked for
const CLICK_PX = [240, 140]; // so far from the middle a click meets no card
const SHIFT_HALF_LIFE_MS = 90; // the page's: how fast the difference between drawn and told fades
const SHIFT_MAX_MM = 11000;    // a little less than the page's, which draws who is farther off as placed anew
const WAYS = [
  { key: "KeyW", dx: 0, dy: 1 }, { key: "KeyD", dx: 1, dy: 0 }, { key: "KeyS", dx: 0, dy: -1 }, { key: "KeyA", dx: -1, dy: 0 },
];

if (!existsSync(CHROMIUM)) {
  console.log(`1..0 # skip there is no ${CHROMIUM}`);
  process.exit(SKIPPED);
}
execFileSync(join(ROOT, "web/check.py"), ["packages"], { stdio: ["ignore", "inherit", "inherit"] });
const { chromium } = await import(join(ROOT, "web/node_modules/playwright-core/index.mjs"));

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

function assert(truth, ...what) {
  if (!truth) throw new Error(what.map((w) => (typeof w === "string" ? w : JSON.stringify(w))).join(" "));
}

// Asks again until look() answers something true; fails with the last answer of tell().
async function until(what, look, tell = look, patience_ms = PATIENCE_MS) {
  const end = Math.min(Date.now() + patience_ms, SCENE_END);
  for (;;) {
    const answer = await look();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`${what}: never came; last: ${JSON.stringify(await tell())}`);
    await pause(100);
  }
}

const distance = (a, b) => Math.hypot(a.x_mm - b.x_mm, a.y_mm - b.y_mm);
const along = (from, to, way) => (to.x_mm - from.x_mm) * way.dx + (to.y_mm - from.y_mm) * way.dy;
const opposite = (way) => WAYS.find((w) => w.dx === -way.dx && w.dy === -way.dy);
const speedOf = (motion) => Math.hypot(motion.vx, motion.vy) * 2; // velocities count 2 mm/s

// Pixels from the middle (east, north) of a piece of bare ground: a click on somebody or something would mean that instead.
function bareGround(report, pixels, allowed = () => true) {
  const { own, scale } = report;
  const others = [...report.near, ...(report.value?.near ?? [])].filter((o) => o.entity !== own.entity);
  for (const px of pixels) {
    for (const way of WAYS) {
      const mm = (px / scale) * 1000;
      const place = { x_mm: own.x_mm + way.dx * mm, y_mm: own.y_mm + way.dy * mm };
      const bare = others.every((o) => distance(o, place) > 2500);
      if (bare && allowed(way, mm)) return { x: px * way.dx, y: px * way.dy, place };
    }
  }
  throw new Error(`no bare ground around ${JSON.stringify(own)} among ${JSON.stringify(others)}`);
}

// The motion of docs/protocol.md, at a time.
function placeOf(motion, at_ms) {
  const dt = Math.min(Math.max(at_ms - motion.since_ms, 0), motion.lasts_ms);
  return { x_mm: motion.x_mm + (motion.vx * 2 * dt) / 1000, y_mm: motion.y_mm + (motion.vy * 2 * dt) / 1000 };
}

// ---- land ----

// The outline of an island, as every page gets it.
class Land {
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

class World {
  static async open() {
    const world = new World();
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
    this.process = spawn(SEOM, ["dev", "--data", join(this.data, "world"), ...play, "--bots", String(BOTS)], { stdio: ["ignore", log, log] });
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

class Visitor {
  static async open(browser, url, options = {}) {
    const v = new Visitor();
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

  // Walks there by as many clicks as it takes.
  async goTo(place, within_mm) {
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      const own = await this.stands();
      if (distance(own, place) <= within_mm) return own;
      assert(Date.now() < end, "it never came to", place, "but stands at", own);
      const { scale } = await this.report();
      const px = [((place.x_mm - own.x_mm) / 1000) * scale, ((own.y_mm - place.y_mm) / 1000) * scale];
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

// Colours of a screenshot, counted by the browser itself.
async function colours(browser, png) {
  const context = await browser.newContext();
  const page = await context.newPage();
  const counts = await page.evaluate(async (base64) => {
    const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${base64}`)).blob());
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    const c = canvas.getContext("2d");
    c.drawImage(bitmap, 0, 0);
    const { data } = c.getImageData(0, 0, bitmap.width, bitmap.height);
    const seen = new Set();
    let sea = 0;
    let land = 0;
    let glow = 0;
    for (let i = 0; i < data.length; i += 4) {
      const [r, g, b] = [data[i], data[i + 1], data[i + 2]];
      seen.add((r >> 3) * 1024 + (g >> 3) * 32 + (b >> 3));
      if (b > r + 20 && g > r + 20) sea += 1;
      else if (r > b + 8 && r > 190 && g > 170) land += 1;
      else if (r > 190 && g < 150 && b < 110) glow += 1;
    }
    const all = data.length / 4;
    return { kinds: seen.size, sea: sea / all, land: land / all, glow };
  }, png.toString("base64"));
  await context.close();
  return counts;
}

// ---- the scene ----

const points = [];
const point = (name, run) => points.push({ name, run });
const s = {}; // what the points hand on: world, browser, ada, ben

point("the chart is drawn: sea, islands and people", async () => {
  s.ada = await Visitor.open(s.browser, s.world.http);
  await s.ada.until("people", (r) => r.people >= BOTS);
  let c;
  await until("a chart that looks right", async () => {
    c = await colours(s.browser, await s.ada.shot("chart"));
    return c.kinds > 150 && c.sea > 0.4 && c.land > 0.005 && c.glow > 30;
  }, () => c);
  assert(/\d+ people/.test(await s.ada.page.textContent("#people")), "no number of people");
  await s.ada.page.click("#panel-open");
  const rows = await s.ada.page.locator("#islands li").count();
  assert(rows >= 30, `${rows} islands in the list`);
});

point("zooming in shows people move", async () => {
  // The island, then where its people are, then one of them: three times the same button.
  const island = await s.ada.page.getAttribute("#islands li:first-child button", "data-island");
  const closer = async () => {
    await s.ada.page.click(`#islands button[data-island="${island}"]`);
    await s.ada.landed();
  };
  await closer();
  await closer();
  await s.ada.until("people in sight", (r) => r.seen.some((m) => m.look < 2));
  await s.ada.shot("crowd");
  // Who is looked for may have walked away from where most are: then the button leads there once more.
  const { seen } = await until("a person", async () => {
    await closer();
    const r = await s.ada.report();
    return r.scale > 5 && r.seen.some((m) => m.look < 2) && r;
  }, () => s.ada.report());
  await s.ada.until("one of them walks", (r) => r.seen.some((m) => {
    const was = seen.find((o) => o.entity === m.entity);
    return was && m.look < 2 && Math.hypot(m.x_mm - was.x_mm, m.y_mm - was.y_mm) > 300;
  }));
  await s.ada.shot("people");
  await s.ada.page.click("#panel-open"); // closed again: it lies over a part of the chart
  assert(await s.ada.page.isHidden("#islands"), "the list of islands does not close");
});

point("one click makes an avatar, and another browser sees it", async () => {
  const ada = await s.ada.enter();
  s.ben = await Visitor.open(s.browser, s.world.http);
  await s.ben.toIsland(ada.island);
  const ben = await s.ben.enter();
  assert(ada.own.entity !== ben.own.entity, "both are the same");
  assert(ada.island === ben.island, "the server put them on different islands", ada.island, ben.island);
  await s.ben.sees(s.ada);
  await s.ada.sees(s.ben);
});

// Both of them on free land, within a few steps of each other and in each other's sight.
async function together() {
  await s.ada.landed();
  await s.ben.landed();
  const [ada, ben] = [await s.ada.stands(), await s.ben.stands()];
  if (s.meadow === undefined) {
    const land = await Land.of(s.world, (await s.ada.report()).island);
    s.meadow = land.meadow([ada, ben]);
    assert(s.meadow?.free_m >= FREE_M / 2, "no free land to walk on near", ada, "and", ben, s.meadow ?? "");
  }
  const beside = { x_mm: s.meadow.x_mm, y_mm: s.meadow.y_mm + 3000 };
  await Promise.all([s.ada.goTo(s.meadow, 1000), s.ben.goTo(beside, 1000)]);
  await s.ada.sees(s.ben);
  return s.ben.sees(s.ada);
}

// Nobody jumps: from frame to frame a mover goes as far as its speed allows, plus what has faded meanwhile of the difference
// between where it was drawn and what was told since. That holds at any number of frames and however late the news; how
// the page bends the way at the news themselves is for the tests of its replica.
function assertSmooth(frames) {
  const speed_mm_s = Math.max(...frames.map((f) => speedOf(f.told)));
  frames.slice(1).forEach((f, i) => {
    const before = frames[i];
    const dt = Math.max(f.now_ms - before.now_ms, 0);
    const off = distance(before, placeOf(before.told, before.now_ms)); // on its way to what was told before
    const news = distance(before, placeOf(f.told, before.now_ms));     // and to what is told now
    const way = (speed_mm_s * 1.1 * dt) / 1000;
    if (f.number !== before.number + 1 || news + way > SHIFT_MAX_MM) return;
    const most = way + (1 - Math.pow(0.5, dt / SHIFT_HALF_LIFE_MS)) * (news + off) + 100;
    const went = distance(f, before);
    assert(went <= most, `a jump of ${Math.round(went)} mm in ${Math.round(dt)} ms, where ${Math.round(most)} are explained`, before, f);
  });
}

point("walking moves the avatar on the second browser, smoothly", async () => {
  let before = await together();
  await s.ben.watch(before.entity);
  // There and back, until the second browser had frames enough to show the way and not only its ends.
  const end = Date.now() + 2 * PATIENCE_MS;
  const walked = new Map(WAYS.map((way) => [way, 0]));
  for (let way = WAYS[1]; ; way = opposite(way)) {
    await s.ada.hold(way, 8000);
    const after = await s.ben.sees(s.ada);
    const came = along(before, after, way);
    assert(distance(before, after) - Math.abs(came) < 100, "it did not walk straight", before, after);
    walked.set(way, Math.max(walked.get(way), came));
    before = after;
    const frames = await s.ben.watched();
    const steps = frames.slice(1).filter((f, i) => distance(f, frames[i]) > 50);
    s.walking_mm_s = Math.max(...frames.map((f) => speedOf(f.told)));
    assertSmooth(frames);
    const halts = frames.slice(1).filter((f, i) => {
      const told = frames[i].told; // one motion over both frames, so the way cannot stand still between them
      const both = told.since_ms === f.told.since_ms && told.since_ms + 500 < frames[i].now_ms && f.now_ms < told.since_ms + told.lasts_ms;
      return both && speedOf(told) > 0 && distance(f, frames[i]) < (speedOf(told) * (f.now_ms - frames[i].now_ms)) / 2000;
    });
    assert(halts.length === 0, `${halts.length} of ${frames.length} frames stand still on the way`, halts[0] ?? "");
    if (steps.length >= 8 && walked.get(WAYS[1]) > 3000 && walked.get(WAYS[3]) > 3000) break;
    assert(Date.now() < end, `it did not walk: only ${steps.length} frames of ${frames.length} show a step; mm:`, [...walked.values()]);
  }
  assert(s.walking_mm_s > 1000 && s.walking_mm_s < 10000, `walks at ${s.walking_mm_s} mm/s`);
  await s.ada.shot("walk");
});

// One ride: how fast the server let it be, from the first motion on horseback to the next standing, by its own times.
async function ride(way) {
  const before = await together();
  await s.ada.page.click("#ride");
  assert((await s.ada.page.getAttribute("#ride", "aria-pressed")) === "true", "the button does not say that it rides");
  await s.ben.watch(before.entity);
  await s.ada.hold(way, 8000);
  // A late key lets it ride out of sight; in sight it is seen to stand.
  const near = (r, own) => r.near.find((m) => m.entity === own.entity);
  await until("the rider stands, or is out of sight", async () => {
    const own = await s.ada.stands();
    const m = near(await s.ben.report(), own);
    return m === undefined || distance(m, own) < 500;
  });
  const after = await s.ada.stands();
  const frames = await s.ben.watched();
  assertSmooth(frames);
  const first = frames.find((f) => f.look === 1 && speedOf(f.told) > 0);
  const last = frames.find((f) => first && f.now_ms > first.now_ms && f.told.since_ms > first.told.since_ms && speedOf(f.told) === 0);
  await s.ada.page.click("#ride");
  await s.ada.until("it walks again", (r) => r.own);
  if (first === undefined || last === undefined) return { mm_s: 0, told_mm_s: 0, came_mm: 0 };
  const lasted_ms = last.told.since_ms - first.told.since_ms;
  return { mm_s: (distance(first.told, last.told) / lasted_ms) * 1000, told_mm_s: speedOf(first.told), look: last.look, came_mm: along(before, after, way) };
}

point("riding is faster and a click walks to its place", async () => {
  // A late key lets an avatar ride on to the shore and stand there, a late move puts it back: the best of a few rides says
  // how fast they are.
  const rides = [];
  const fast = (r) => r.mm_s > 5500 && r.mm_s > 1.5 * s.walking_mm_s && r.told_mm_s > 1.5 * s.walking_mm_s && r.look === 1 && r.came_mm > 4000;
  for (let i = 0; i < 6 && !rides.some(fast); i++) rides.push(await ride(WAYS[(2 * i) % 4]));
  assert(rides.some(fast), `no ride was faster than walking at ${s.walking_mm_s} mm/s:`, rides);
  const from = await together();
  const { x, y, place: there } = bareGround(await s.ada.report(), [120, 100, 80, 140, 60]);
  await s.ada.page.mouse.click(DESKTOP.width / 2 + x, DESKTOP.height / 2 - y);
  let seen;
  await until("it went there, for both", async () => distance((seen = await s.ben.sees(s.ada)), there) < 400, () => ({ from, there, seen }));
  assert(seen.look === 0, "ben sees a rider", seen);
});

point("what is said stands above the head on the second browser, as text and nothing else", async () => {
  const ada = await together();
  for (let i = 0; i < 3; i++) await s.ben.page.click("#zoom-out"); // until the whole neighbourhood is in the picture
  const line = `<img src=x onerror="alert(1)"> 안녕`;
  // A line stands for some seconds only: the page itself notes it in the first frame that shows it, whenever that is.
  await s.ben.page.evaluate(([text, who]) => {
    globalThis.heard = undefined;
    const lines = () => [...document.querySelectorAll(".bubble")];
    const frame = () => {
      const bubble = lines().find((b) => b.textContent === text && b.style.transform !== "" && getComputedStyle(b).visibility === "visible");
      if (bubble === undefined) return void requestAnimationFrame(frame);
      const { x, y, width, height } = bubble.getBoundingClientRect();
      const { near, own, scale } = globalThis.seom();
      const m = near.find((o) => o.entity === who);
      const head = m && { x: innerWidth / 2 + ((m.x_mm - own.x_mm) / 1000) * scale, y: innerHeight / 2 - ((m.y_mm - own.y_mm) / 1000) * scale };
      globalThis.heard = { x, y, width, height, head, elements: document.querySelectorAll("#bubbles *").length - lines().length };
    };
    requestAnimationFrame(frame);
  }, [line, ada.entity]);
  await s.ada.page.keyboard.press("Enter");
  await s.ada.page.keyboard.type(line);
  await s.ada.page.keyboard.press("Enter");
  const box = await until("the line at ben's", () => s.ben.page.evaluate(() => globalThis.heard), () => s.ben.page.locator(".bubble").allTextContents());
  assert(box.elements === 0, "text became an element", box);
  assert(box.x > -box.width && box.x < DESKTOP.width && box.y > -box.height && box.y < DESKTOP.height, "the line is outside of the picture", box);
  const up = box.head && box.head.y - (box.y + box.height);
  assert(box.head && Math.abs(box.x + box.width / 2 - box.head.x) < 12 && up > 0 && up < 60, "the line does not stand above the head", box);
  const log = await s.ben.page.evaluate(() => ({ text: document.getElementById("heard").textContent, images: document.images.length }));
  assert(log.text.includes(line) && log.images === 0, "who listens hears something else", log);
  await s.ben.shot("say");
});

point("a reload brings the same avatar back to where it stood", async () => {
  const before = (await s.ada.report()).own;
  await s.ada.page.reload();
  await s.ada.ready();
  const after = await s.ada.inside();
  assert(after.own.entity === before.entity, "somebody else came", before, after.own);
  assert(Math.hypot(after.own.x_mm - before.x_mm, after.own.y_mm - before.y_mm) < 1000, "it stands elsewhere", before, after.own);
});

point("the newer of two windows wins, and says so in the older", async () => {
  const second = new Visitor();
  second.context = s.ada.context;
  await second.visit(s.world.http);
  await second.inside();
  await s.ada.page.waitForSelector("#banner:not([hidden])");
  assert((await s.ada.page.textContent("#banner-text")).includes("somewhere else"), "the banner says something else");
  await second.page.close();
  await s.ada.page.click("#banner-act");
  await s.ada.inside();
});

point("after kill -9 of the world the page waits, comes back by itself and stands where it stood", async () => {
  await pause(1500); // at most a second of movement may be lost: let the last step be kept
  const before = (await s.ada.report()).own;
  await s.world.end("SIGKILL");
  await s.ada.page.waitForSelector("#banner:not([hidden])");
  const wait = await s.ada.page.textContent("#banner-wait");
  assert(/again in \d+ s|Connecting/.test(wait), `no countdown: ${wait}`);
  await s.ada.shot("lost");
  await s.world.start();
  await s.ada.until("both lines again", (r) => r.watching === "open" && r.playing === "open");
  await s.ada.page.waitForSelector("#banner", { state: "hidden" });
  const after = await s.ada.inside();
  assert(after.own.entity === before.entity, "somebody else came back", before, after.own);
  assert(Math.hypot(after.own.x_mm - before.x_mm, after.own.y_mm - before.y_mm) < 1500, "it stands elsewhere", before, after.own);
  await s.ben.inside();
  await until("it walks again, also for ben", async () => {
    await s.ada.hold(WAYS[2], 2000);
    return along(after.own, await s.ben.sees(s.ada), WAYS[2]) > 1000;
  });
});

point("when the world stops for maintenance the page says so and comes back when it may", async () => {
  await s.world.end("SIGTERM");
  assert(s.world.ended_by === 0, "the world did not end well", s.world.ended_by);
  await s.ada.page.waitForSelector("#banner:not([hidden])");
  const text = await s.ada.page.textContent("#banner-text");
  assert(/stopping|lost/.test(text), text);
  await s.world.start();
  await s.ada.until("both lines again", (r) => r.watching === "open" && r.playing === "open" && r.own);
  await s.ada.page.waitForSelector("#banner", { state: "hidden" });
});

point("a phone: everything fits, a finger walks", async () => {
  await Promise.all([s.ada.close(), s.ben.close()]); // the processor that draws for them has enough to do
  const phone = await Visitor.open(s.browser, s.world.http, { viewport: PHONE, isMobile: true, hasTouch: true, deviceScaleFactor: 2 });
  await phone.until("people", (r) => r.people >= BOTS);
  await phone.shot("phone-chart");
  const box = await phone.page.locator("#enter").boundingBox();
  assert(box.x >= 0 && box.x + box.width <= PHONE.width && box.y + box.height <= PHONE.height, "the button is outside", box);
  assert(await phone.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "it scrolls sideways");
  await phone.page.tap("#enter");
  await phone.inside();
  await phone.landed();
  const report = await phone.report();
  const land = await Land.of(s.world, report.island);
  const { x, y, place: there } = bareGround(report, [60, 80, 100, 120, 45], (way, mm) => land.free(report.own, way.dx, way.dy, 20) > mm / 1000 + 2);
  await phone.page.touchscreen.tap(PHONE.width / 2 + x, PHONE.height / 2 - y);
  await phone.until(`it went to ${JSON.stringify(there)}`, (r) => r.own && !r.own.moves && !r.own.target && distance(r.own, there) < 400);
  for (const id of ["ride", "say", "say-send", "leave"]) {
    const b = await phone.page.locator(`#${id}`).boundingBox();
    assert(b && b.x >= 0 && b.x + b.width <= PHONE.width && b.height >= 38, `#${id} is outside or too small`, b ?? "not there");
  }
  await phone.shot("phone-walk");
  assert(phone.errors.length === 0, ...phone.errors);
  await phone.close();
});

point("Korean by the browser's language, and back by a switch; every button has a name", async () => {
  const kim = await Visitor.open(s.browser, s.world.http, { locale: "ko-KR", colorScheme: "dark" });
  await kim.until("people", (r) => r.people >= BOTS);
  assert((await kim.page.textContent("#enter")) === "아바타 만들기", "the button is not Korean");
  assert((await kim.page.getAttribute("html", "lang")) === "ko", "the page does not say that it is Korean");
  await kim.shot("korean-night");
  await kim.page.click("#language");
  assert((await kim.page.textContent("#enter")) === "Make an avatar", "the switch does nothing");
  await kim.page.reload();
  await kim.ready();
  assert((await kim.page.textContent("#enter")) === "Make an avatar", "the choice is forgotten");
  const nameless = await kim.page.evaluate(() =>
    [...document.querySelectorAll("button, input, canvas")].filter((e) => !(e.getAttribute("aria-label") || e.textContent.trim())).map((e) => e.id));
  assert(nameless.filter((id) => id !== "banner-act").length === 0, "without a name:", nameless);
  await kim.close();
});

point("no page complained", async () => {
  // What a browser says about the lines that the test itself cut is no complaint of the page.
  assert(s.world.ended_by === undefined, "the world ended by itself:", s.world.ended_by);
  const complaints = [...s.ada.errors, ...s.ben.errors].filter((e) => !/WebSocket connection|ERR_CONNECTION/.test(e));
  assert(complaints.length === 0, ...complaints);
});

// Colours in steps of five: the eye hardly sees it, and the file is a third.
async function thriftyPng(page, png) {
  const base64 = await page.evaluate(async (text) => {
    const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${text}`)).blob());
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    const c = canvas.getContext("2d");
    c.drawImage(bitmap, 0, 0);
    const image = c.getImageData(0, 0, bitmap.width, bitmap.height);
    for (let i = 0; i < image.data.length; i++) if (i % 4 !== 3) image.data[i] = Math.min(255, Math.round(image.data[i] / 5) * 5);
    c.putImageData(image, 0, 0);
    const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: "image/png" })).arrayBuffer());
    return btoa(Array.from(bytes, (b) => String.fromCharCode(b)).join(""));
  }, png.toString("base64"));
  return Buffer.from(base64, "base64");
}

async function picture() {
  const v = await Visitor.open(s.browser, s.world.http, { viewport: { width: 980, height: 620 } });
  await v.until("people", (r) => r.people >= BOTS);
  await pause(30_000); // they walk away from the harbours
  const png = await v.page.screenshot();
  const blank = await (await s.browser.newContext()).newPage();
  writeFileSync(resolve(ROOT, SHOT), await thriftyPng(blank, png));
}

mkdirSync(SHOTS, { recursive: true });
const profile = mkdtempSync(join(tmpdir(), "seom-browser-"));
let failed = 0;
try {
  s.world = await World.open();
  s.browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, args: FLAGS, env: { ...process.env, HOME: profile } });
  if (SHOT) await picture();
  else console.log(`1..${points.length}`);
  for (const [n, { name, run }] of SHOT ? [] : points.entries()) {
    const started = Date.now();
    try {
      const { ended_by, told_to_end } = s.world;
      if (ended_by !== undefined) await s.world.start(); // a point before this one failed half way
      assert(ended_by === undefined || told_to_end, "the world ended by itself:", ended_by);
      await run();
      console.log(`ok ${n + 1} - ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`not ok ${n + 1} - ${name}`);
      console.log(String(error.stack).replace(/^/gm, "# "));
      for (const v of ["ada", "ben"]) if (s[v] && !s[v].page.isClosed()) await s[v].shot(`failed-${n + 1}-${v}`).catch(() => undefined);
    }
    console.log(`# ${((Date.now() - started) / 1000).toFixed(1)} s`);
  }
} catch (error) {
  failed += 1;
  console.log(`Bail out! ${error.message}`);
} finally {
  await s.browser?.close();
  await s.world?.close();
  rmSync(profile, { recursive: true, force: true });
}
process.exit(failed === 0 ? 0 : 1);
