import assert from "node:assert/strict";
import { test } from "node:test";
import { Homes, NotThere, readDots, readHomes } from "../build/modules.mjs";

const nodes = {
  nodes: [
    { name: "home-1", role: "home", colour: 0, players: 12, state: "serving" },
    { name: "gate-1", role: "gate", players: 30, state: "serving" },
    { name: "home-2", role: "home", colour: 1, state: "starts" },
    7,
  ],
};
const people = {
  homes: [
    { name: "home-1", colour: 0, gone: false, age_ms: 4000, people: [[3, 10, 20, 0], [3, 11, 21, 1], [3], "x"] },
    { name: "home-2", colour: 1, gone: true, age_ms: 2500, people: [[4, 1, 2, 0]] },
    { name: "home-3", colour: 2, gone: true, age_ms: 5000, people: [[4, 1, 2, 0]] },
    { name: "home-4" },
  ],
};

test("homes are the rows of the legend, gates are not", () => {
  assert.deepEqual(readHomes(nodes), [
    { name: "home-1", colour: 0, players: 12, state: "serving" },
    { name: "home-2", colour: 1, players: 0, state: "starts" },
  ]);
  for (const nothing of [undefined, null, [], { nodes: {} }]) assert.deepEqual(readHomes(nothing), []);
});

test("who is on his way is hollow, and ghosts of a home that is gone fade", () => {
  assert.deepEqual(readDots(people), [
    { island: 3, x_m: 10, y_m: 20, colour: 0, hollow: false, alpha: 1 },
    { island: 3, x_m: 11, y_m: 21, colour: 0, hollow: true, alpha: 1 },
    { island: 4, x_m: 1, y_m: 2, colour: 1, hollow: true, alpha: 0.5 },
  ]);
  for (const nothing of [undefined, null, [], { homes: {} }]) assert.deepEqual(readDots(nothing), []);
});

test("a world without homes is not asked again; one that does not answer is", async () => {
  let error;
  let changes = 0;
  const homes = new Homes(async (path) => {
    if (error !== undefined) throw error;
    return path === "/nodes.json" ? nodes : people;
  }, () => (changes += 1));
  assert.ok(await homes.ask());
  assert.equal(homes.dots.length, 3);
  error = new Error("503");
  assert.ok(await homes.ask());
  assert.equal(homes.dots.length, 0, "what nobody tells is not shown");
  assert.equal(homes.rows.length, 2);
  error = new NotThere("/nodes.json");
  assert.ok(!(await homes.ask()));
  assert.equal(changes, 2);
});
