#!/usr/bin/env node
// The page in Debian's Chromium against a true world: the chart is drawn, people are seen, two browsers walk and talk to
// each other, an avatar comes back by its ticket, after a crash of the server and on a phone, in English and Korean.
//
//   scene_page.mjs [PATH_TO_SEOM]     prints TAP; screenshots stand in build/page-shots/
//   SEOM_SHOT=docs/page.png           only takes the picture of a fuller world for the docs
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
const PATIENCE_MS = 30_000; // the graphics are drawn by the processor here
const SKIPPED = 77;
const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-quic",
  "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
];
const DESKTOP = { width: 800, height: 560 };
const PHONE = { width: 390, height: 760 };

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
  const end = Date.now() + patience_ms;
  for (;;) {
    const answer = await look();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`${what}: never came; last: ${JSON.stringify(await tell())}`);
    await pause(100);
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
    this.ended = once(this.process, "exit");
    await until("the world opens", async () => (await this.status()) !== undefined, () => readFileSync(this.log, "utf8"));
  }

  async status() {
    return fetch(`${this.http}/status`).then((r) => r.json()).catch(() => undefined);
  }

  async end(signal) {
    this.process.kill(signal);
    await this.ended;
  }

  async close() {
    if (this.process.exitCode === null && this.process.signalCode === null) await this.end("SIGTERM");
    rmSync(this.data, { recursive: true, force: true });
  }
}

// ---- browsers ----

class Visitor {
  static async open(browser, url, options = {}) {
    const v = new Visitor();
    v.context = await browser.newContext({ viewport: DESKTOP, locale: "en-US", ...options });
    await v.visit(url);
    return v;
  }

  async visit(url) {
    this.page = await this.context.newPage();
    this.errors = [];
    this.page.on("pageerror", (e) => this.errors.push(e.message));
    this.page.on("console", (m) => m.type() === "error" && this.errors.push(m.text()));
    await this.page.goto(url);
    await this.page.waitForFunction(() => globalThis.seom !== undefined, undefined, { timeout: PATIENCE_MS });
  }

  report() {
    return this.page.evaluate(() => globalThis.seom());
  }

  until(what, look) {
    return until(what, async () => look(await this.report()), () => this.report());
  }

  async enter() {
    await this.page.click("#enter");
    return this.until("an avatar", (r) => r.phase === "in" && r.own && r);
  }

  async hold(code, ms) {
    await this.page.keyboard.down(code);
    await pause(ms);
    await this.page.keyboard.up(code);
    return this.until("it stands", (r) => r.own && !r.own.moves && r.own);
  }

  sees(own) {
    return this.until(`to see ${own.entity} at ${own.x_mm} ${own.y_mm}`, (r) =>
      r.near.find((m) => m.entity === own.entity && Math.hypot(m.x_mm - own.x_mm, m.y_mm - own.y_mm) < 500));
  }

  // Where somebody is drawn, frame by frame.
  watchPlaces(entity, lasts_ms) {
    return this.page.evaluate(([who, lasts]) => new Promise((done) => {
      const places = [];
      const end = performance.now() + lasts;
      const frame = (ms) => {
        const m = globalThis.seom().near.find((o) => o.entity === who);
        if (m) places.push({ ms, x_mm: m.x_mm, y_mm: m.y_mm });
        if (performance.now() < end) requestAnimationFrame(frame);
        else done(places);
      };
      requestAnimationFrame(frame);
    }), [entity, lasts_ms]);
  }

  // By the list, as a person does; who makes an avatar then arrives there.
  async toIsland(id) {
    await this.page.click("#panel-open");
    await this.page.click(`#islands button[data-island="${id}"]`);
    await this.page.click("#panel-open");
    await this.landed();
  }

  landed() {
    return until("the flight ends", async () => {
      await pause(300);
      const before = (await this.report()).scale;
      await pause(500);
      return before === (await this.report()).scale;
    });
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
  await pause(800);
  const c = await colours(s.browser, await s.ada.shot("chart"));
  assert(c.kinds > 150 && c.sea > 0.4 && c.land > 0.005 && c.glow > 30, "the chart looks wrong", c);
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
  await closer();
  const { seen } = await s.ada.until("a person", (r) => r.scale > 5 && r.seen.some((m) => m.look < 2) && r);
  await s.ada.until("one of them walks", (r) => r.seen.some((m) => {
    const was = seen.find((o) => o.entity === m.entity);
    return was && m.look < 2 && Math.hypot(m.x_mm - was.x_mm, m.y_mm - was.y_mm) > 300;
  }));
  await s.ada.shot("people");
});

point("one click makes an avatar, and another browser sees it", async () => {
  const ada = await s.ada.enter();
  s.ben = await Visitor.open(s.browser, s.world.http);
  await s.ben.toIsland(ada.island);
  const ben = await s.ben.enter();
  assert(ada.own.entity !== ben.own.entity, "both are the same");
  assert(ada.island === ben.island, "the server put them on different islands", ada.island, ben.island);
  await s.ben.sees(ada.own);
  await s.ada.sees(ben.own);
});

point("walking moves the avatar on the second browser, smoothly", async () => {
  const before = (await s.ada.report()).own;
  const ben = (await s.ben.report()).own;
  // Towards each other, so that nobody walks out of sight.
  const key = before.x_mm > ben.x_mm ? "KeyA" : "KeyD";
  const watching = s.ben.watchPlaces(before.entity, 4000);
  const after = await s.ada.hold(key, 2000);
  const places = await watching;
  const walked = Math.abs(after.x_mm - before.x_mm);
  assert(walked > 3000 && Math.sign(after.x_mm - before.x_mm) === (key === "KeyD" ? 1 : -1), "it did not walk", before, after);
  // The second browser shows the way, frame by frame, not only its end.
  const steps = places.slice(1).map((p, i) => Math.hypot(p.x_mm - places[i].x_mm, p.y_mm - places[i].y_mm) / Math.max(p.ms - places[i].ms, 1));
  const moving = steps.filter((mm_per_ms) => mm_per_ms > 0.5).length;
  assert(moving >= 8, `only ${moving} frames of ${places.length} show a step`);
  assert(Math.max(...steps) < 20, `a jump of ${Math.max(...steps)} m/s`);
  await s.ben.sees(after);
  await s.ada.shot("walk");
});

point("riding is faster and a click walks to its place", async () => {
  await s.ada.page.click("#ride");
  const before = (await s.ada.report()).own;
  const started = Date.now();
  const after = await s.ada.hold("KeyW", 900);
  const mm_per_s = (Math.hypot(after.x_mm - before.x_mm, after.y_mm - before.y_mm) / (Date.now() - started)) * 1000;
  assert(after.y_mm > before.y_mm, "it did not ride north", before, after);
  assert(mm_per_s > 5500, `only ${Math.round(mm_per_s)} mm/s on horseback`);
  const seen = await s.ben.until("a rider", (r) => r.near.find((m) => m.entity === after.entity)?.look === 1 || !r.near.some((m) => m.entity === after.entity));
  assert(seen, "ben sees a walker");
  await s.ada.page.click("#ride");
  const { scale } = await s.ada.report();
  await s.ada.page.mouse.click(DESKTOP.width / 2, DESKTOP.height / 2 + 120);
  await s.ada.until("it went south", (r) => r.own && !r.own.moves && Math.abs(after.y_mm - r.own.y_mm - (120 / scale) * 1000) < 400);
});

point("what is said stands above the head on the second browser, as text and nothing else", async () => {
  // Back into each other's sight, whatever was ridden before.
  const target = (await s.ben.report()).own;
  await s.ada.until("in sight", (r) => r.near.some((m) => m.entity === target.entity));
  for (let i = 0; i < 3; i++) await s.ben.page.click("#zoom-out"); // until the whole neighbourhood is in the picture
  const line = `<img src=x onerror="alert(1)"> 안녕`;
  await s.ada.page.keyboard.press("Enter");
  await s.ada.page.keyboard.type(line);
  await s.ada.page.keyboard.press("Enter");
  await until("the line at ben's", async () => (await s.ben.page.locator(".bubble").allTextContents()).includes(line),
    () => s.ben.page.locator(".bubble").allTextContents());
  await s.ben.page.locator(".bubble", { hasText: "안녕" }).waitFor({ state: "visible", timeout: PATIENCE_MS });
  const box = await s.ben.page.locator(".bubble", { hasText: "안녕" }).boundingBox();
  assert(box.x > -box.width && box.x < DESKTOP.width && box.y > -box.height && box.y < DESKTOP.height, "the line is outside of the picture", box);
  assert((await s.ben.page.locator("#bubbles img").count()) === 0, "text became an element");
  await s.ben.shot("say");
});

point("a reload brings the same avatar back to where it stood", async () => {
  const before = (await s.ada.report()).own;
  await s.ada.page.reload();
  await s.ada.page.waitForFunction(() => globalThis.seom !== undefined);
  const after = await s.ada.until("the avatar again", (r) => r.phase === "in" && r.own && r);
  assert(after.own.entity === before.entity, "somebody else came", before, after.own);
  assert(Math.hypot(after.own.x_mm - before.x_mm, after.own.y_mm - before.y_mm) < 1000, "it stands elsewhere", before, after.own);
});

point("the newer of two windows wins, and says so in the older", async () => {
  const second = new Visitor();
  second.context = s.ada.context;
  await second.visit(s.world.http);
  await second.until("the avatar in the second window", (r) => r.phase === "in");
  await s.ada.page.waitForSelector("#banner:not([hidden])", { timeout: PATIENCE_MS });
  assert((await s.ada.page.textContent("#banner-text")).includes("somewhere else"), "the banner says something else");
  await second.page.close();
  await s.ada.page.click("#banner-act");
  await s.ada.until("back in the first", (r) => r.phase === "in" && r.own);
});

point("after kill -9 of the world the page waits, comes back by itself and stands where it stood", async () => {
  await pause(1500); // at most a second of movement may be lost: let the last step be kept
  const before = (await s.ada.report()).own;
  await s.world.end("SIGKILL");
  await s.ada.page.waitForSelector("#banner:not([hidden])", { timeout: PATIENCE_MS });
  const wait = await s.ada.page.textContent("#banner-wait");
  assert(/again in \d+ s|Connecting/.test(wait), `no countdown: ${wait}`);
  await s.ada.shot("lost");
  await s.world.start();
  const after = await s.ada.until("the avatar again", (r) => r.watching === "open" && r.phase === "in" && r.own && r.near && r.own.entity === before.entity && r);
  await s.ada.page.waitForSelector("#banner", { state: "hidden", timeout: PATIENCE_MS });
  assert(Math.hypot(after.own.x_mm - before.x_mm, after.own.y_mm - before.y_mm) < 1500, "it stands elsewhere", before, after.own);
  const walked = await s.ada.hold("KeyS", 700);
  assert(walked.y_mm < after.own.y_mm - 500 || Math.hypot(walked.x_mm - after.own.x_mm, walked.y_mm - after.own.y_mm) > 0, "it cannot walk any more");
});

point("when the world stops for maintenance the page says so and comes back when it may", async () => {
  await s.world.end("SIGTERM");
  assert(s.world.process.exitCode === 0, "the world did not end well", s.world.process.exitCode, s.world.process.signalCode);
  await s.ada.page.waitForSelector("#banner:not([hidden])", { timeout: PATIENCE_MS });
  const text = await s.ada.page.textContent("#banner-text");
  assert(/stopping|lost/.test(text), text);
  await s.world.start();
  await s.ada.until("the avatar again", (r) => r.watching === "open" && r.phase === "in" && r.own);
  await s.ada.page.waitForSelector("#banner", { state: "hidden", timeout: PATIENCE_MS });
});

point("a phone: everything fits, a finger walks", async () => {
  const phone = await Visitor.open(s.browser, s.world.http, { viewport: PHONE, isMobile: true, hasTouch: true, deviceScaleFactor: 2 });
  await phone.until("people", (r) => r.people >= BOTS);
  await phone.shot("phone-chart");
  const box = await phone.page.locator("#enter").boundingBox();
  assert(box.x >= 0 && box.x + box.width <= PHONE.width && box.y + box.height <= PHONE.height, "the button is outside", box);
  assert(await phone.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "it scrolls sideways");
  await phone.page.tap("#enter");
  const { own } = await phone.until("an avatar", (r) => r.phase === "in" && r.own && r);
  await phone.landed();
  const { scale } = await phone.report();
  await phone.page.touchscreen.tap(PHONE.width / 2 + 60, PHONE.height / 2);
  await phone.until("it went east", (r) => r.own && !r.own.moves && Math.abs(r.own.x_mm - own.x_mm - (60 / scale) * 1000) < 400);
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
  await pause(500);
  await kim.shot("korean-night");
  await kim.page.click("#language");
  assert((await kim.page.textContent("#enter")) === "Make an avatar", "the switch does nothing");
  await kim.page.reload();
  assert((await kim.page.textContent("#enter")) === "Make an avatar", "the choice is forgotten");
  const nameless = await kim.page.evaluate(() =>
    [...document.querySelectorAll("button, input, canvas")].filter((e) => !(e.getAttribute("aria-label") || e.textContent.trim())).map((e) => e.id));
  assert(nameless.filter((id) => id !== "banner-act").length === 0, "without a name:", nameless);
  await kim.close();
});

point("no page complained", async () => {
  // What a browser says about the lines that the test itself cut is no complaint of the page.
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
    try {
      await run();
      console.log(`ok ${n + 1} - ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`not ok ${n + 1} - ${name}`);
      console.log(String(error.stack).replace(/^/gm, "# "));
      for (const v of ["ada", "ben"]) await s[v]?.shot(`failed-${n + 1}-${v}`).catch(() => undefined);
    }
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
