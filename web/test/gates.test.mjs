import assert from "node:assert/strict";
import { test } from "node:test";
import { Gates } from "../build/modules.mjs";

const seen = (address) => `ws://${address}/`;

test("pages begin at different gates and go round", () => {
  const urls = [0, 0.34, 0.67, 0.999].map((chance) => new Gates(["a:1", "b:2", "c:3"], seen, chance).url);
  assert.deepEqual(urls, ["ws://a:1/", "ws://b:2/", "ws://c:3/", "ws://c:3/"]);
  const gates = new Gates(["a:1", "b:2"], seen, 0.9);
  gates.next();
  assert.equal(gates.url, "ws://a:1/");
  gates.next();
  assert.equal(gates.url, "ws://b:2/");
});

test("what is named on arrival is tried after a break, and this gate stays in use until then", () => {
  const gates = new Gates(["a:1", "b:2"], seen, 0);
  gates.named(["a:1", "d:4"]);
  assert.equal(gates.url, "ws://a:1/");
  gates.next();
  assert.equal(gates.url, "ws://d:4/");
  gates.next();
  assert.equal(gates.url, "ws://b:2/", "those of the beginning are not forgotten");
  gates.named([]);
  assert.equal(gates.url, "ws://b:2/");
});

test("a good-bye names where to go", () => {
  const gates = new Gates(["a:1", "b:2"], seen, 0);
  assert.ok(gates.sent(["e:5"]));
  assert.equal(gates.url, "ws://e:5/");
  assert.ok(!gates.sent([]), "or nowhere in particular");
  assert.equal(gates.url, "ws://e:5/");
});

test("one gate is enough, and none breaks nothing", () => {
  const one = new Gates(["a:1"], seen, 0.5);
  one.next();
  assert.equal(one.url, "ws://a:1/");
  const none = new Gates([], seen, 0.5);
  none.next();
  assert.equal(none.url, "");
});
