import assert from "node:assert/strict";
import { test } from "node:test";
import { readFileSync } from "node:fs";
import {
  actOn, Belongings, Commands, COMMANDS_MAX, CODES, commandFrame, costText, deedBytes, deedResultBytes, GOODS, holdingsText, knownThing,
  REACH_MM, readClientMessage, readDeed, readDeedResult, readServerMessage, readView, serverFrame, showFrame, TEXTS, viewBytes, withinReach, WireError,
} from "../build/modules.mjs";

const hex = (text) => Uint8Array.from(text.replaceAll(" ", "").match(/../g) ?? [], (b) => parseInt(b, 16));
const code = (name) => CODES.indexOf(name);
const result = (more = {}) => ({ id: 0n, gained: [], coins_gained: 0, mail: 0n, ...more });

// ---- bytes ----

test("deeds, commands and shows are the bytes that protobuf makes", () => {
  // Worked out by hand: tag = number << 3 | wire type; a fixed64 is eight bytes, little-endian.
  assert.deepEqual(deedBytes({ pick: { entity: 300n } }), hex("0a 03 08 ac02"));
  assert.deepEqual(deedBytes({ drop: { slot: 0, count: 3 } }), hex("12 02 10 03"));
  assert.deepEqual(deedBytes({ accept: { trade: 5n, hash: 0x0102030405060708n } }), hex("aa03 0b 08 05 11 0807060504030201"));
  assert.deepEqual(deedBytes({ send: { to: 1n, text: "a", coins: 0, parts: [{ slot: 1, count: 2 }] } }), hex("ba03 0b 08 01 12 01 61 22 04 08 01 10 02"));
  assert.deepEqual(commandFrame(8n, hex("0a 02")), hex("00 22 06 08 08 12 02 0a 02"));
  assert.deepEqual(showFrame(1, 3, 9n), hex("00 1a 08 08 01 2a 04 08 03 10 09"));
  assert.deepEqual(readClientMessage(commandFrame(8n, hex("0a02")).subarray(1)).command, { seq: 8n, body: hex("0a02") });
});

test("deeds and results come back as they were", () => {
  const offer = { to: 7n, coins: 3, parts: [{ slot: 0, count: 2 }], wants: { coins: 10, slots: [{ kind: 1, count: 4, uid: 0n }] } };
  assert.deepEqual(readDeed(deedBytes({ offer })), { offer });
  const all = result({ id: 9n, gained: [{ kind: 1, count: 3, uid: 0n }], coins_gained: 12, mail: 4n });
  assert.deepEqual(readDeedResult(deedResultBytes(all)), all);
  assert.deepEqual(readDeedResult(new Uint8Array(0)), result());
});

test("a view always has its holdings; open trades may come packed or one by one", () => {
  assert.deepEqual(readView("bag", new Uint8Array(0)), { holds: { coins: 0, slots: [] }, slots_max: 0, trades: [] });
  assert.deepEqual(readView("bag", hex("1a 03 05 ac02")).trades, [5n, 300n]);
  assert.deepEqual(readView("bag", hex("18 05 18 ac02")).trades, [5n, 300n]);
  assert.throws(() => readView("bag", hex("1a 02 05 ac")), WireError);
  const trade = { from: 1n, to: 2n, gives: { coins: 0, slots: [{ kind: 1, count: 3, uid: 0n }] }, wants: { coins: 9, slots: [] }, hash: 2n ** 64n - 1n };
  assert.deepEqual(readView("trade", viewBytes("trade", trade)), trade);
});

test("results, hints and the lobby come back as they were", () => {
  for (const message of [
    { result: { seq: 8n, code: 12, body: hex("0801") } }, { changed: { what: 2 } }, { lobby: { code: 18, retry_after_ms: 3000 } },
    { answer: { number: 4, code: 0, shown: new Uint8Array(0) } },
  ]) assert.deepEqual(readServerMessage(serverFrame(message).subarray(1)), message);
});

// ---- exactly once ----

class Desk {
  sent = [];
  timers = [];
  outcomes = [];
  commands = new Commands({
    send: (seq, body) => this.sent.push(`${seq} ${String.fromCharCode(...body)}`),
    later: (ms, act) => this.timers.push({ ms, act }),
    chance: () => 1,
  });

  do(letter) {
    return this.commands.do(Uint8Array.of(letter.charCodeAt(0)), (o) => this.outcomes.push(`${letter} ${o.code}`));
  }

  answer(seq, name) {
    this.commands.answered(BigInt(seq), code(name), result());
  }
}

test("one command is in flight; the next has its number when its turn comes", () => {
  const d = new Desk();
  d.do("a");
  assert.deepEqual(d.sent, [], "nobody is there yet");
  d.commands.welcomed(1n, 7n);
  d.outcomes = []; // of somebody who was here before: dropped
  d.do("b");
  d.do("c");
  assert.deepEqual(d.sent, ["8 b"]);
  d.answer(8, "FINE");
  d.answer(9, "REFUSED"); // a refusal uses its number up
  d.do("d");
  assert.deepEqual(d.sent, ["8 b", "9 c", "10 d"]);
  assert.deepEqual(d.outcomes, ["b FINE", "c REFUSED"]);
});

test("at most three questions are under way", () => {
  const s = new Shelf();
  s.belongings.only([1n, 2n, 3n].map((id) => ({ name: "trade", id })));
  s.belongings.turn(0);
  assert.deepEqual(s.asked, ["bag 0", "inbox 0", "trade 1"]);
  s.shows(1, "bag", bag(1));
  s.belongings.turn(16);
  assert.deepEqual(s.asked.slice(3), ["trade 2"]);
});

test("a full queue takes nothing over", () => {
  const d = new Desk();
  d.commands.welcomed(1n, 0n);
  for (let i = 0; i < COMMANDS_MAX; i++) assert.ok(d.do("a"));
  assert.ok(!d.do("b"));
});

test("after a break the same bytes go out under the same number, executed or not", () => {
  for (const last_seq of [7n, 8n]) {
    const d = new Desk();
    d.commands.welcomed(1n, 7n);
    d.do("a");
    d.do("b");
    d.commands.lost();
    d.answer(8, "FINE"); // of the old session: nobody listens any more
    d.commands.welcomed(1n, last_seq);
    assert.deepEqual(d.sent, ["8 a", "8 a"]);
    d.answer(8, "FINE");
    d.answer(8, "FINE"); // the repetition is answered too
    assert.deepEqual(d.sent, ["8 a", "8 a", "9 b"]);
    assert.deepEqual(d.outcomes, ["a FINE"]);
  }
});

test("RETRY_AFTER: the same again after pauses that grow up to a limit", () => {
  const d = new Desk();
  d.commands.welcomed(1n, 0n);
  d.do("a");
  for (let i = 0; i < 7; i++) {
    d.answer(1, "RETRY_AFTER");
    assert.equal(d.sent.length, i + 1, "not at once");
    d.timers[i].act();
  }
  assert.deepEqual(d.timers.map((t) => t.ms), [500, 1000, 2000, 4000, 8000, 8000, 8000]);
  assert.deepEqual(new Set(d.sent), new Set(["1 a"]));
  d.answer(1, "FINE");
  for (const t of d.timers) t.act();
  assert.equal(d.sent.length, 8, "an old timer sends nothing");
  d.do("b");
  d.answer(2, "RETRY_AFTER");
  assert.equal(d.timers[7].ms, 500, "patience begins anew with each command");
});

test("the pause of an old session does not shorten that of the new one", () => {
  const d = new Desk();
  d.commands.welcomed(1n, 0n);
  d.do("a");
  d.answer(1, "RETRY_AFTER");
  d.commands.lost();
  d.commands.welcomed(1n, 0n);
  d.answer(1, "RETRY_AFTER");
  assert.equal(d.sent.length, 2);
  d.timers[0].act();
  assert.equal(d.sent.length, 2);
  d.timers[1].act();
  assert.equal(d.sent.length, 3);
});

test("a code of a newer server means: not now", () => {
  const d = new Desk();
  d.commands.welcomed(1n, 0n);
  d.do("a");
  d.commands.answered(1n, 99, result());
  assert.deepEqual(d.outcomes, []);
  assert.equal(d.timers.length, 1);
});

test("CLOSED and UNREADABLE leave the number free", () => {
  for (const name of ["CLOSED", "UNREADABLE"]) {
    const d = new Desk();
    d.commands.welcomed(1n, 4n);
    d.do("a");
    d.answer(5, name);
    d.do("b");
    assert.deepEqual(d.sent, ["5 a", "5 b"]);
    assert.deepEqual(d.outcomes, [`a ${name}`]);
  }
});

test("who finds that another window counted on takes its number from the welcome", () => {
  const d = new Desk();
  d.commands.welcomed(1n, 4n);
  d.do("a");
  d.do("b");
  d.commands.welcomed(1n, 9n);
  assert.deepEqual(d.outcomes, ["a CONFLICT"]);
  assert.deepEqual(d.sent, ["5 a", "10 b"]);
  const replaced = new Desk();
  replaced.commands.welcomed(1n, 4n);
  replaced.do("a");
  replaced.answer(5, "REPLACED");
  replaced.do("b");
  assert.deepEqual(replaced.sent, ["5 a"], "nothing more is sent in this session");
  replaced.commands.welcomed(1n, 6n);
  assert.deepEqual(replaced.sent, ["5 a", "7 b"]);
});

test("what one player asked for is never done by another", () => {
  const d = new Desk();
  d.commands.welcomed(1n, 4n);
  d.do("a");
  d.commands.lost();
  d.commands.welcomed(2n, 0n);
  assert.deepEqual(d.outcomes, ["a LEFT"]);
  d.do("b");
  assert.deepEqual(d.sent, ["5 a", "1 b"]);
});

// ---- what one owns ----

class Shelf {
  asked = [];
  open = true;
  belongings = new Belongings({
    ask: (name, id) => {
      if (!this.open) return undefined;
      this.asked.push(`${name} ${id}`);
      return this.asked.length;
    },
  });

  shows(number, name, view, now_ms = 0) {
    return this.belongings.answered({ number, code: 0, shown: viewBytes(name, view) }, now_ms);
  }
}

const bag = (coins) => ({ holds: { coins, slots: [] }, slots_max: 24, trades: [] });

test("bag and inbox are asked for once, and again when they are told to have changed", () => {
  const s = new Shelf();
  for (let ms = 0; ms < 100; ms += 16) s.belongings.turn(ms);
  assert.deepEqual(s.asked, ["bag 0", "inbox 0"]);
  assert.ok(s.shows(1, "bag", bag(100)) && s.shows(2, "inbox", { notices: [] }));
  assert.ok(!s.shows(9, "bag", bag(1)), "an answer to somebody else's question");
  s.belongings.turn(200);
  assert.equal(s.asked.length, 2);
  assert.equal(s.belongings.bag.holds.coins, 100);
  s.belongings.changed(2);
  s.belongings.changed(77); // of a newer server
  s.belongings.turn(216);
  assert.deepEqual(s.asked.slice(2), ["inbox 0"]);
});

test("an answer that was on its way when something changed does not count as fresh", () => {
  const s = new Shelf();
  s.belongings.turn(0);
  s.belongings.stale();
  s.shows(1, "bag", bag(100));
  assert.ok(!s.belongings.fresh);
  s.belongings.turn(16);
  assert.deepEqual(s.asked, ["bag 0", "inbox 0", "bag 0", "inbox 0"]);
  s.shows(3, "bag", bag(90));
  assert.ok(s.belongings.fresh);
  assert.equal(s.belongings.bag.holds.coins, 90);
});

test("an answer that was overtaken changes nothing", () => {
  const s = new Shelf();
  s.belongings.turn(0);
  s.belongings.stale("bag");
  s.belongings.turn(1);
  s.shows(3, "bag", bag(90));
  s.shows(1, "bag", bag(100));
  assert.equal(s.belongings.bag.holds.coins, 90);
  assert.ok(s.belongings.fresh);
});

test("a question that is not answered is put again; one that is refused is not", () => {
  const s = new Shelf();
  s.belongings.only([{ name: "mail", id: 5n }]);
  s.belongings.turn(0);
  assert.deepEqual(s.asked, ["bag 0", "inbox 0", "mail 5"]);
  s.belongings.answered({ number: 3, code: code("NOT_FOUND") }, 0);
  s.belongings.answered({ number: 1, code: code("RETRY_AFTER") }, 0);
  assert.equal(s.belongings.code("mail", 5n), "NOT_FOUND");
  s.belongings.turn(999);
  assert.equal(s.asked.length, 3);
  s.belongings.turn(1000);
  assert.deepEqual(s.asked.slice(3), ["bag 0"]);
  s.belongings.turn(3001);
  assert.deepEqual(s.asked.slice(4), ["inbox 0"]);
});

test("what is not on the screen any more is forgotten; a chest on the screen is looked at again and again", () => {
  const s = new Shelf();
  s.belongings.only([{ name: "chest", id: 5n }]);
  s.belongings.turn(0);
  s.shows(1, "bag", bag(1));
  s.shows(2, "inbox", { notices: [] });
  s.shows(3, "chest", { holds: { coins: 0, slots: [] }, slots_max: 40 }, 100);
  s.belongings.turn(1000);
  assert.equal(s.asked.length, 3);
  s.belongings.turn(1600);
  assert.deepEqual(s.asked.slice(3), ["chest 5"]);
  s.belongings.only([]);
  assert.equal(s.belongings.view("chest", 5n), undefined);
  assert.ok(s.belongings.bag !== undefined);
});

test("while the line is down nothing counts as asked", () => {
  const s = new Shelf();
  s.open = false;
  s.belongings.turn(0);
  s.open = true;
  s.belongings.turn(16);
  assert.deepEqual(s.asked, ["bag 0", "inbox 0"]);
  s.belongings.welcomed();
  s.belongings.turn(32);
  assert.equal(s.asked.length, 4, "questions of the old session are void");
});

// ---- things ----

const thing = (entity, kind, x_mm, attributes) => ({ entity, thing: kind, place: { x_mm, y_mm: 0 }, attributes: Uint8Array.from(attributes), cx: 0, cy: 0 });
const tree = (entity, x_mm, stage) => thing(entity, 1, x_mm, [stage, 1, 1, 0, 0, 0, 0, 0, 0]);

test("trees, drops and chests are known by their attributes, and nothing by too few of them", () => {
  assert.deepEqual(knownThing(tree(1n, 0, 3)), { what: "tree", stage: 3, until_ms: 257 });
  assert.deepEqual(knownThing(thing(1n, 3, 0, [2, 5, 1, 0, 0])), { what: "drop", goods: 2, count: 261 });
  assert.deepEqual(knownThing(thing(1n, 4, 0, [3, 1, 0, 0, 0])), { what: "chest" });
  for (const t of [thing(1n, 1, 0, [3]), thing(1n, 3, 0, []), thing(1n, 9, 0, [1, 2, 3, 4, 5, 6, 7, 8, 9])]) assert.equal(knownThing(t), undefined);
});

test("within reach is what one can do something with, the nearest first", () => {
  const things = [tree(1n, 2000, 3), tree(2n, 10, 0), thing(3n, 3, -500, [1, 3, 0, 0, 0]), thing(4n, 4, REACH_MM, [3, 1, 0, 0, 0]), tree(5n, REACH_MM + 1, 3)];
  assert.deepEqual(withinReach(things, { x_mm: 0, y_mm: 0 }).map((n) => [n.act, n.entity]), [["take", 3n], ["pick", 1n], ["open", 4n]]);
  assert.equal(actOn(tree(1n, 0, 2)), undefined, "a flower is no fruit");
});

// ---- words and prices ----

test("prices and recipes are those of the sample game", () => {
  const source = readFileSync(new URL("../../src/rules/sample_kinds.c", import.meta.url), "utf8");
  const header = readFileSync(new URL("../../src/rules/sample_kinds.h", import.meta.url), "utf8");
  const names = header.match(/enum sample_goods \{([^}]*)\}/)[1].split(",").map((n) => n.trim());
  const table = (name) => {
    const [, rows] = source.match(new RegExp(`${name}\\[GOODS_COUNT\\] = \\{([\\s\\S]*?)\\n\\};`));
    return Object.fromEntries([...rows.matchAll(/\[(\w+)\] = \{([^}]*)\}/g)].map(([, goods, fields]) =>
      [names.indexOf(goods), Object.fromEntries([...fields.matchAll(/\.(\w+) = (\d+)/g)].map(([, k, v]) => [k, Number(v)]))]));
  };
  const [recipes, prices] = [table("recipes"), table("prices")];
  assert.deepEqual(GOODS.map((g) => g.kind), names.slice(1, -1).map((_, i) => i + 1));
  for (const { kind, sells, buys, made_of } of GOODS) {
    assert.deepEqual([sells ?? 0, buys ?? 0], [prices[kind]?.sells ?? 0, prices[kind]?.buys ?? 0], `price of ${kind}`);
    assert.deepEqual([made_of?.fruit ?? 0, made_of?.coins ?? 0], [recipes[kind]?.fruit ?? 0, recipes[kind]?.coins ?? 0], `recipe of ${kind}`);
  }
});

test("both languages have a name for everything and words for amounts", () => {
  for (const { value } of Object.values(TEXTS)) {
    for (const { kind } of GOODS) assert.ok(value.goods[kind]);
    assert.deepEqual(Object.keys(value), Object.keys(TEXTS.en.value));
  }
  const { value } = TEXTS.en;
  const holds = { coins: 1, slots: [{ kind: 1, count: 3, uid: 0n }, { kind: 0, count: 0, uid: 0n }, { kind: 2, count: 2, uid: 0n }, { kind: 77, count: 1, uid: 0n }] };
  assert.equal(holdingsText(value, holds), "3 fruit, 2 charms, 1 something, 1 coin");
  assert.equal(holdingsText(value, { coins: 0, slots: [] }), "nothing");
  assert.equal(costText(TEXTS.ko.value, { fruit: 5, coins: 20 }), "열매 5개, 20냥");
});
