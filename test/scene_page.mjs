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

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import {
  along, assert, DESKTOP, distance, FREE_M, Land, openBrowser, PATIENCE_MS, pause, ROOT, SHOTS, thriftyPng, until, Visitor, World,
} from "./page_browser.mjs";

const SHOT = process.env.SEOM_SHOT;
const BOTS = SHOT ? 200 : 20;
const PHONE = { width: 390, height: 760 };
const SHIFT_HALF_LIFE_MS = 90; // the page's: how fast the difference between drawn and told fades
const SHIFT_MAX_MM = 11000;    // a little less than the page's, which draws who is farther off as placed anew
const WAYS = [
  { key: "KeyW", dx: 0, dy: 1 }, { key: "KeyD", dx: 1, dy: 0 }, { key: "KeyS", dx: 0, dy: -1 }, { key: "KeyA", dx: -1, dy: 0 },
];

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

async function picture() {
  const v = await Visitor.open(s.browser, s.world.http, { viewport: { width: 980, height: 620 } });
  await v.until("people", (r) => r.people >= BOTS);
  await pause(30_000); // they walk away from the harbours
  const png = await v.page.screenshot();
  const blank = await (await s.browser.newContext()).newPage();
  writeFileSync(resolve(ROOT, SHOT), await thriftyPng(blank, png, 5));
}

mkdirSync(SHOTS, { recursive: true });
const profile = mkdtempSync(join(tmpdir(), "seom-browser-"));
let failed = 0;
try {
  s.world = await World.open(BOTS);
  s.browser = await openBrowser(profile);
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
