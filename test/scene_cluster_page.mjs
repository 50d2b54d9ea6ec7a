#!/usr/bin/env node
// The page of a cluster in Debian's Chromium: a colour for each home, hollow where nobody decides any more, the others' colours
// afterwards; and somebody who plays on through the death of gates.
//
//   scene_cluster_page.mjs PATH_TO_SEOM      prints TAP
//
// check: full

import { execFileSync, spawn } from "node:child_process";
import { chmodSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert, distance, openBrowser, SEOM, until, Visitor } from "./page_browser.mjs";

const BOTS = 60;
const AGAIN_MS = 10_000; // the promise for the death of a gate
const LOG_LINES = 30;

class Cluster {
  static async open() {
    const c = new Cluster();
    c.base = mkdtempSync(join(tmpdir(), "seom-cluster-page-"));
    chmodSync(c.base, 0o755); // PostgreSQL runs as somebody else and has to pass through
    c.data = join(c.base, "data");
    c.log = join(c.base, "log");
    const log = openSync(c.log, "a");
    c.process = spawn(SEOM, ["cluster", "up", "--data", c.data, "--homes", "3", "--gates", "2", "--bots", String(BOTS), "--http",
      "127.0.0.1:0", "--play", "127.0.0.1:0", "--for", "600"], { stdio: ["ignore", log, log] });
    c.http = (await until("it is up", () => /the map +(http:\/\/[^/\s]+)/.exec(c.told()), () => c.told()))[1];
    return c;
  }

  told() {
    return readFileSync(this.log, "utf8");
  }

  tool(...words) {
    execFileSync(SEOM, [...words, "--data", this.data], { stdio: ["ignore", "ignore", "pipe"] });
  }

  close() {
    this.process.kill("SIGKILL"); // nothing outlives it
    rmSync(this.base, { recursive: true, force: true });
  }
}

const s = {};
const serving = (homes) => homes.filter((h) => h.state === "serving").map((h) => h.name).join(" ");
const players = (homes) => homes.reduce((sum, h) => sum + (h.state === "serving" ? h.players : 0), 0);

const points = [
  ["everybody is a dot in the colour of his home, and a legend says whose it is", async () => {
    s.visitor = await Visitor.open(s.browser, s.cluster.http);
    const r = await s.visitor.until("all bots as dots", (now) => now.dots === BOTS && players(now.homes) === BOTS && now);
    assert(serving(r.homes) === "home-1 home-2 home-3", r.homes);
    assert(new Set(r.homes.map((h) => h.colour)).size === 3 && r.hollow === 0, r.homes, r.hollow);
    const rows = await s.visitor.page.$$eval("#homes li .name", (names) => names.map((n) => n.textContent));
    assert(rows.join(" ") === "home-1 home-2 home-3", rows);
  }],
  ["of a home that dies the people are hollow, and then in the colours of the others", async () => {
    const homes = (await s.visitor.report()).homes;
    const gone = homes.reduce((a, b) => (b.players > a.players ? b : a));
    s.cluster.tool("node", "kill", gone.name, "-9", "--stay-dead");
    await s.visitor.until("hollow people", (r) => r.hollow >= gone.players / 2);
    await s.visitor.until("a row that says so", (r) => r.homes.find((h) => h.name === gone.name).state === "ended");
    const r = await s.visitor.until("all in other colours", (now) => now.hollow === 0 && now.dots === BOTS && players(now.homes) === BOTS && now);
    assert(!serving(r.homes).includes(gone.name), r.homes);
    await s.visitor.until("nobody is counted twice", (now) => now.people === BOTS);
    await s.visitor.page.click("#language");
    const states = await s.visitor.page.$$eval("#homes li .state", (all) => all.map((e) => e.textContent).join(""));
    assert(await until("the state in Korean", async () => (await s.visitor.page.textContent("#homes")).includes("꺼짐")), states);
    s.cluster.tool("node", "start", gone.name);
  }],
  ["who plays goes on where he stood, whichever gate dies", async () => {
    await s.visitor.enter();
    const before = await s.visitor.stands();
    for (const gate of ["gate-1", "gate-2"]) {
      s.cluster.tool("node", "kill", gate, "-9");
      const died = Date.now();
      const again = await s.visitor.until(`play after ${gate}`, (r) => r.playing === "open" && r.watching === "open" && r.own);
      assert(Date.now() - died <= AGAIN_MS, `it took ${Date.now() - died} ms`);
      assert(distance(before, again) < 500, before, again);
      await until("both gates serve", async () => (await (await fetch(`${s.cluster.http}/config.json`)).json()).gates.length === 2);
    }
    const own = s.visitor.errors.filter((e) => !e.includes("WebSocket"));
    assert(own.length === 0, own);
  }],
];

const profile = mkdtempSync(join(tmpdir(), "seom-browser-"));
let failed = 0;
try {
  s.cluster = await Cluster.open();
  s.browser = await openBrowser(profile);
  console.log(`1..${points.length}`);
  for (const [n, [name, run]] of points.entries()) {
    const started = Date.now();
    try {
      assert(failed === 0, "a point before this one failed");
      await run();
      console.log(`ok ${n + 1} - ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`not ok ${n + 1} - ${name}`);
      console.log(String(error.stack).replace(/^/gm, "# "));
      if (failed === 1) console.log(s.cluster.told().trim().split("\n").slice(-LOG_LINES).join("\n").replace(/^/gm, "# "));
    }
    console.log(`# ${((Date.now() - started) / 1000).toFixed(1)} s`);
  }
} catch (error) {
  failed += 1;
  console.log(`Bail out! ${error.message}`);
} finally {
  await s.browser?.close();
  s.cluster?.close();
  rmSync(profile, { recursive: true, force: true });
}
process.exit(failed === 0 ? 0 : 1);
