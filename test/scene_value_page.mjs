#!/usr/bin/env node
// Things of value in two browsers, side by side in a world of their own: fruit is picked, dropped and taken up, a chest is
// made, built, filled and emptied, a trade is offered and accepted, a letter with fruit in it is sent and opened. The world
// is killed in the middle and everything is where it was; in the end its books are balanced.
//
//   scene_value_page.mjs [PATH_TO_SEOM]   prints TAP; screenshots stand in build/page-shots/
//   SEOM_SHOT=docs/page-value.png         also takes the picture for the docs
//
// check: full

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { assert, DESKTOP, distance, Land, openBrowser, ROOT, SEOM, SHOTS, thriftyPng, until, Visitor, World } from "./page_browser.mjs";

const SHOT = process.env.SEOM_SHOT;
const PHONE = { width: 375, height: 667 };
const FRUIT = 1;
const STAGE_FRUIT = 3;
const NEAR_MM = 2400;        // so near to a thing somebody stands who wants it
const RIPE_MS = 20_000;      // so long a tree shall still bear when somebody sets out for it
const STROLL_M = 60;         // who finds no tree walks on by so much
const TREE_MS = 150_000;     // trees bear a quarter of their time
const COMMANDS_DONE = 17;    // at least so many are answered here
const LOG_LINES = 12;        // of the world, when something failed
const LETTER = `<b onclick="alert(1)">열매</b> & for you`;

// ---- somebody who owns things ----

const fruitOf = (value) => (value.slots ?? []).reduce((sum, s) => sum + (s.kind === FRUIT ? s.count : 0), 0);

class Owner extends Visitor {
  // Two pages at a time are drawn by the processor: a picture of half as many points a side is enough for what is looked at.
  static open(browser, url, options = {}) {
    return super.open(browser, url, { deviceScaleFactor: SHOT ? 1 : 0.6, ...options });
  }

  async value() {
    return (await this.report()).value;
  }

  // Until the page shows what the store holds, and that is as look wants it.
  owns(what, look) {
    return this.until(what, ({ value }) => value.fresh && !value.busy && look(value) && value);
  }

  // A button of the card or of the row within reach; one that waits for the last command's end cannot be pressed yet.
  async press(where, name) {
    const { page } = this;
    const b = page.locator(`${where} button`).filter({ hasText: name }).first();
    await until(`the button ${name}`, () => b.isVisible().catch(() => false), () => page.locator(where).textContent());
    await until(`${name} can be pressed`, async () => (await b.getAttribute("aria-disabled")) !== "true", () => this.value());
    await b.click();
  }

  async card(id, name) {
    if ((await this.value()).card !== name) await this.page.click(id);
    await this.until(`the card ${name}`, ({ value }) => value.card === name);
  }

  bag() {
    return this.card("#bag-open", "bag");
  }

  async inbox() {
    await this.closeCard();
    return this.card("#inbox-open", "inbox");
  }

  async closeCard() {
    if ((await this.value()).card !== undefined) await this.page.click("#card-close");
    await this.until("no card", ({ value }) => value.card === undefined);
  }

  async fill(label, text) {
    await this.page.locator("#card").getByLabel(label, { exact: true }).fill(String(text));
  }

  async goBeside(place) {
    await this.closeCard();
    await this.goTo(place, NEAR_MM);
  }

  async buy(count) {
    await this.bag();
    const { coins } = await this.owns("a bag", () => true);
    await this.fill("How many: fruit", count);
    await this.press("#card", "Buy fruit");
    return this.owns(`${count} fruit bought`, (v) => v.coins === coins - 5 * count);
  }
}

// ---- the scene ----

const points = [];
const point = (name, run) => points.push({ name, run });
const s = {}; // what the points hand on: world, browser, ada, ben

point("two people come to the same island, with an empty bag and a hundred coins", async () => {
  s.ada = await Owner.open(s.browser, s.world.http);
  const { island } = await s.ada.enter();
  await s.ada.landed();
  s.ben = await Owner.open(s.browser, s.world.http);
  await s.ben.toIsland(island);
  await s.ben.enter();
  await s.ben.landed();
  s.land = await Land.of(s.world, island);
  for (const v of [s.ada, s.ben]) {
    const value = await v.owns("a bag", (b) => b.coins === 100);
    assert(fruitOf(value) === 0, "there is fruit in a new bag", value);
  }
});

// A tree that bears for a while yet and to which one can walk straight on; else some steps on, where there are others.
async function ripeTree(visitor) {
  const end = Date.now() + TREE_MS;
  for (let turn = 0; ; turn++) {
    const { own, now_ms, value } = await visitor.report();
    const trees = value.near.filter((t) => t.what === "tree");
    const ripe = trees.filter((t) => t.stage === STAGE_FRUIT && t.until_ms - now_ms > RIPE_MS && s.land.reaches(own, t));
    if (ripe.length > 0) return ripe.sort((a, b) => distance(a, own) - distance(b, own))[0];
    assert(Date.now() < end, "no tree bears fruit; seen:", trees);
    const angles = Array.from({ length: 12 }, (_, i) => ((i + turn * 5) * Math.PI) / 6);
    const [dx, dy] = angles.map((a) => [Math.cos(a), Math.sin(a)]).sort((a, b) => s.land.free(own, ...b, STROLL_M) - s.land.free(own, ...a, STROLL_M))[0];
    const m = s.land.free(own, dx, dy, STROLL_M);
    await visitor.goTo({ x_mm: Math.round(own.x_mm + dx * m * 1000), y_mm: Math.round(own.y_mm + dy * m * 1000) }, NEAR_MM);
  }
}

point("fruit is picked from a tree, which is bare then", async () => {
  await until("a harvest", async () => {
    const tree = await ripeTree(s.ada);
    await s.ada.goBeside(tree);
    // Who clicked on the tree from afar picks on arrival; who happens to stand there presses the button.
    const button = s.ada.page.locator("#reach button").filter({ hasText: "Pick fruit" });
    return until("fruit, or a bare tree", async () => {
      const { value } = await s.ada.report();
      if (fruitOf(value) === 3) return (s.tree = tree);
      const now = value.near.find((t) => t.entity === tree.entity);
      if (now !== undefined && now.stage !== STAGE_FRUIT && value.command === "idle" && value.fresh) return "too late";
      if (!value.busy && (await button.count()) > 0) await button.first().click({ timeout: 1000 }).catch(() => undefined);
      return false;
    }, () => s.ada.value()).then(() => s.tree !== undefined);
  }, () => s.ada.value(), 3 * TREE_MS);
  await s.ada.until("the tree is bare", ({ value }) => value.near.some((t) => t.entity === s.tree.entity && t.stage === 0));
  await s.ada.bag();
  const slots = await s.ada.page.locator("#card .slot").allTextContents();
  assert(slots.length === 1 && slots[0] === "fruit3", "the bag shows something else", slots);
  await s.ada.shot("value-picked");
});

point("what one drops another takes up", async () => {
  await s.ada.bag();
  await s.ada.page.click("#card .slot");
  await s.ada.fill("How many", 3);
  await s.ada.press("#card", "Drop");
  await s.ada.owns("the bag is empty", (v) => fruitOf(v) === 0);
  const drop = await s.ada.until("it lies on the ground", ({ value }) => value.near.find((t) => t.what === "drop"));
  assert(drop.goods === FRUIT && drop.count === 3, "something else lies there", drop);
  await s.ada.closeCard();
  await s.ada.shot("value-dropped");
  const { own } = await s.ben.report();
  assert(s.land.reaches(own, drop) || distance(own, drop) < 200_000, "ben is far away", own, drop);
  await s.ben.goBeside(await wayTo(s.ben, drop));
  const take = s.ben.page.locator("#reach button").filter({ hasText: "Take 3 fruit" });
  await until("ben has it", async () => {
    const { value } = await s.ben.report();
    if (fruitOf(value) === 3 && value.fresh) return true;
    if (!value.busy && (await take.count()) > 0) await take.first().click({ timeout: 1000 }).catch(() => undefined);
    return false;
  }, () => s.ben.value());
  await s.ada.until("it is gone for ada too", ({ value }) => !value.near.some((t) => t.what === "drop"));
});

// By way of the tree's places if the sea is between: ada walked straight from where both came ashore.
async function wayTo(visitor, place) {
  for (const stop of s.way ?? []) await visitor.goTo(stop, NEAR_MM);
  return place;
}

point("bought fruit becomes a chest, the chest is set up and filled", async () => {
  await s.ben.buy(2);
  await s.ben.press("#card", "Make a chest");
  await s.ben.owns("a chest and no fruit", (v) => fruitOf(v) === 0 && v.slots.some((x) => x.kind === 3) && v.coins === 70);
  await s.ben.page.click("#card .slot");
  await s.ben.press("#card", "Set it up here");
  s.chest = await s.ben.until("it stands", ({ value }) => value.near.find((t) => t.what === "chest"));
  await s.ben.buy(2);
  await s.ben.closeCard();
  await s.ben.press("#reach", "Open chest");
  await s.ben.until("the card of the chest", ({ value }) => value.card === "chest");
  await s.ben.page.locator("#card").getByRole("button", { name: "Put in 2 fruit" }).click();
  await s.ben.owns("the fruit left the bag", (v) => fruitOf(v) === 0);
  await s.ben.page.locator("#card").getByRole("button", { name: "Take out 2 fruit" }).waitFor();
  await s.ben.shot("value-chest");
  await s.ada.until("ada sees the chest", ({ value }) => value.near.some((t) => t.entity === s.chest.entity));
});

async function choose(who, other) {
  await who.closeCard();
  const entity = (await other.report()).own.entity;
  const name = `Guest ${BigInt(entity) % 10000n}`;
  const button = who.page.locator("#reach button").filter({ hasText: name }).first();
  await button.waitFor();
  if ((await button.getAttribute("aria-pressed")) !== "true") await button.click();
  return name;
}

point("an offer shows the other what is given and what is wanted", async () => {
  await s.ben.closeCard();
  await s.ada.goBeside(s.chest);
  await s.ada.buy(4);
  const name = await choose(s.ada, s.ben);
  await s.ada.press("#reach", `Offer ${name} a trade`);
  await s.ada.fill("You give: 4 fruit", 3);
  await s.ada.fill("You want: Coins", 10);
  await s.ada.shot("value-offer");
  await s.ada.press("#card", "Offer it");
  await s.ada.owns("the things wait in the offer", (v) => fruitOf(v) === 1 && v.coins === 80 && v.offers === 1);
  await s.ben.until("ben hears of it", ({ value }) => value.notices === 1);
  assert((await s.ben.page.textContent("#inbox-badge")) === "1", "the badge does not count it");
});

point("kill -9 of the world: bags, chest, offer and letters are where they were", async () => {
  const before = { ada: await s.ada.owns("a bag", () => true), ben: await s.ben.owns("a bag", () => true) };
  await s.world.end("SIGKILL");
  await s.ada.page.waitForSelector("#banner:not([hidden])");
  await s.world.start();
  for (const [name, v] of [["ada", s.ada], ["ben", s.ben]]) {
    await v.inside();
    const { coins, slots, offers, notices } = before[name];
    await v.owns(`what ${name} had`, (now) => now.coins === coins && JSON.stringify(now.slots) === JSON.stringify(slots) && now.offers === offers && now.notices === notices);
    await v.until("the chest stands", ({ value }) => value.near.some((t) => t.entity === s.chest.entity));
  }
  await s.ben.press("#reach", "Open chest");
  await s.ben.press("#card", "2"); // the only two of anything: the fruit in the chest
  await s.ben.owns("the fruit came out", (v) => fruitOf(v) === 2);
  await s.ben.closeCard();
});

point("the offer is accepted, and both have what was agreed", async () => {
  await s.ben.inbox();
  await s.ben.press("#card", "offers a trade");
  await s.ben.page.locator("#card").getByText("3 fruit", { exact: true }).waitFor();
  await s.ben.page.locator("#card").getByText("10 coins", { exact: true }).waitFor();
  const { coins } = await s.ben.owns("a bag", () => true);
  if (SHOT) await picture(s.ben);
  await s.ben.shot("value-trade");
  await s.ben.press("#card", "Accept");
  await s.ben.owns("ben has the fruit", (v) => fruitOf(v) === 5 && v.coins === coins - 10 && v.notices === 0);
  await s.ada.owns("ada has the coins", (v) => v.coins === 90 && v.offers === 0 && fruitOf(v) === 1);
});

point("an offer that is withdrawn gives everything back; what cannot be done is said in words", async () => {
  const name = await choose(s.ada, s.ben);
  await s.ada.press("#reach", `Offer ${name} a trade`);
  await s.ada.fill("You give: 1 fruit", 1);
  await s.ada.fill("You want: Coins", 1000);
  await s.ada.press("#card", "Offer it");
  await s.ada.owns("an open offer", (v) => v.offers === 1 && fruitOf(v) === 0);
  await s.ben.inbox();
  await s.ben.press("#card", "offers a trade");
  await s.ben.press("#card", "Accept"); // nobody has a thousand coins
  const toast = s.ben.page.locator("#toast");
  await until("the refusal", async () => /not allowed/.test(await toast.textContent()), () => toast.textContent());
  await s.ada.inbox();
  await s.ada.press("#card", "Withdraw");
  await s.ada.owns("it came back", (v) => v.offers === 0 && fruitOf(v) === 1);
  await s.ben.owns("the offer is gone", (v) => v.notices === 0);
});

point("a letter with fruit in it is opened and taken; its words are only words", async () => {
  const name = await choose(s.ada, s.ben);
  await s.ada.press("#reach", `Send ${name} mail`);
  await s.ada.fill("Your lines", LETTER);
  await s.ada.fill("You give: 1 fruit", 1);
  await s.ada.press("#card", "Send it");
  await s.ada.owns("it is sent", (v) => fruitOf(v) === 0);
  await s.ben.until("it arrived", ({ value }) => value.notices === 1);
  await s.ben.inbox();
  await s.ben.press("#card", "Mail from");
  await until("the words", async () => (await s.ben.page.locator("#card .words").textContent()) === LETTER, () => s.ben.page.textContent("#card"));
  assert((await s.ben.page.locator("#card .words *").count()) === 0, "text became an element");
  await s.ben.page.locator("#card").getByText("1 fruit", { exact: true }).waitFor();
  await s.ben.shot("value-mail");
  await s.ben.press("#card", "Take");
  await s.ben.owns("ben has it", (v) => fruitOf(v) === 6 && v.notices === 0);
});

point("a phone shows bag and letters below the chart, in Korean, and every control has a name", async () => {
  await s.ada.close(); // the processor that draws for her has enough to do
  const kim = await Owner.open(s.browser, s.world.http, { viewport: PHONE, isMobile: true, hasTouch: true, deviceScaleFactor: 1, locale: "ko-KR" });
  await kim.page.tap("#enter");
  await kim.inside();
  for (const id of ["#bag-open", "#inbox-open"]) {
    await kim.page.tap(id);
    const box = await kim.page.locator("#card").boundingBox();
    assert(box.x >= 0 && box.x + box.width <= PHONE.width && box.y + box.height <= PHONE.height + 1, "the card is outside", box);
    assert(box.y > PHONE.height / 2 + 20, "the card covers the middle of the chart", box);
    await kim.owns("a bag", () => true);
    await kim.shot(`value-phone-${id.slice(1)}`);
    const nameless = await kim.page.evaluate(() =>
      [...document.querySelectorAll("button, input, select")].filter((e) => !(e.getAttribute("aria-label") || e.textContent.trim() || e.closest("label"))).map((e) => e.id));
    assert(nameless.filter((i) => i !== "banner-act").length === 0, "without a name:", nameless);
  }
  assert((await kim.page.textContent("#card-title")) === "편지와 제안", "the card is not Korean");
  assert(await kim.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "it scrolls sideways");
  await kim.close();
});

point("no page complained, and the books of the world are balanced", async () => {
  await s.world.end("SIGTERM");
  assert(s.world.ended_by === 0, "the world did not end well", s.world.ended_by);
  const complaints = [...s.ada.errors, ...s.ben.errors].filter((e) => !/WebSocket connection|ERR_CONNECTION/.test(e));
  assert(complaints.length === 0, ...complaints);
  const { status, stdout, stderr } = spawnSync(SEOM, ["audit", "--data", join(s.world.data, "world")], { encoding: "utf8" });
  const audit = JSON.parse(stdout.trim().split("\n").pop());
  assert(status === 0 && audit.balanced && audit.doubled === 0 && audit.lost === 0, "not balanced:", stdout, stderr);
  assert(audit.commands >= COMMANDS_DONE && audit.coins_held > 0, "the audit counts something else:", audit);
});

// Both a step aside, so that they, the chest and the tree can be seen.
async function picture(visitor) {
  await visitor.page.setViewportSize({ width: 900, height: 560 });
  await visitor.hold({ key: "KeyA", dx: -1, dy: 0 }, 1500);
  await s.ada.hold({ key: "KeyS", dx: 0, dy: -1 }, 2000);
  await visitor.page.click("#zoom-in");
  await visitor.sees(s.ada);
  const blank = await (await s.browser.newContext()).newPage();
  writeFileSync(resolve(ROOT, SHOT), await thriftyPng(blank, await visitor.page.screenshot(), 9));
  await blank.close();
  await visitor.page.click("#zoom-out");
  await visitor.page.setViewportSize(DESKTOP);
}

mkdirSync(SHOTS, { recursive: true });
const profile = mkdtempSync(join(tmpdir(), "seom-browser-"));
let failed = 0;
try {
  s.world = await World.open(0);
  s.browser = await openBrowser(profile);
  console.log(`1..${points.length}`);
  for (const [n, { name, run }] of points.entries()) {
    const started = Date.now();
    try {
      assert(failed === 0, "a point before this one failed");
      await run();
      console.log(`ok ${n + 1} - ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`not ok ${n + 1} - ${name}`);
      console.log(String(error.stack).replace(/^/gm, "# "));
      for (const v of ["ada", "ben"]) if (failed === 1 && s[v] && !s[v].page.isClosed()) await s[v].shot(`failed-value-${n + 1}-${v}`).catch(() => undefined);
      if (failed === 1) console.log(readFileSync(s.world.log, "utf8").trim().split("\n").slice(-LOG_LINES).join("\n").replace(/^/gm, "# "));
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
