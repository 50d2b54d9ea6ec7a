import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { CODES, Gates, Line, readClientMessage, serverFrame } from "../build/modules.mjs";

// A browser's socket and its timers, both in the hands of the test.
class Socket {
  static OPEN = 1;
  static all = [];
  readyState = 1;
  sent = [];

  constructor() {
    Socket.all.push(this);
  }

  send(bytes) {
    this.sent.push(Object.keys(readClientMessage(bytes.subarray(1))).find((what) => what !== undefined));
  }

  close() {
    this.readyState = 3;
  }

  hear(message) {
    this.onmessage({ data: serverFrame(message).slice().buffer });
  }
}

const true_globals = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout, WebSocket: globalThis.WebSocket };
let timers = [];
let ended = [];
let welcomes = 0;

beforeEach(() => {
  timers = [];
  ended = [];
  welcomes = 0;
  Socket.all = [];
  globalThis.WebSocket = Socket;
  globalThis.setTimeout = (act, ms) => timers.push({ act, ms });
  globalThis.clearTimeout = (number) => delete timers[number - 1];
});
afterEach(() => Object.assign(globalThis, true_globals));

const due = (least_ms, most_ms) => timers.filter((t) => t.ms >= least_ms && t.ms <= most_ms);

function openLine() {
  const line = new Line({
    gates: new Gates(["x"], (address) => `ws://${address}`), hello: () => ({ client: "t" }),
    events: { welcome: () => (welcomes += 1), record: () => undefined, answer: () => undefined, ended: (e) => ended.push(e) },
  });
  line.open();
  Socket.all[0].onopen();
  return line;
}

const welcome = {
  protocol: 1, world_ms: 1000, entity: 1n, player: 1n, session_epoch: 1n, last_seq: 0n, ticket: new Uint8Array(0), island: 1, gates: [], speeds: [],
};
const lobby = (retry_after_ms) => ({ lobby: { code: CODES.indexOf("UNREADABLE"), retry_after_ms } });

test("who is sent to the lobby stays connected and says hello again when he may", () => {
  const line = openLine();
  const [socket] = Socket.all;
  socket.hear({ welcome });
  socket.hear(lobby(20_000));
  assert.equal(line.state, "lobby");
  assert.equal(ended[0].code, "UNREADABLE");
  assert.ok(ended[0].retry_at_ms > 0, "the page can count down");
  assert.ok(!line.send(new Uint8Array(1)), "there is no session to speak in");
  const [again] = due(20_000, 30_000);
  again.act();
  assert.deepEqual(socket.sent, ["hello", "hello"]);
  assert.equal(line.state, "connecting");
  socket.hear({ welcome });
  assert.equal(line.state, "open");
  assert.equal(welcomes, 2);
  assert.equal(Socket.all.length, 1, "on the same connection");
});

test("a lobby instead of a welcome, twice", () => {
  const line = openLine();
  const [socket] = Socket.all;
  for (let i = 0; i < 2; i++) {
    socket.hear(lobby(50_000));
    assert.equal(line.state, "lobby");
    due(50_000, 75_000)[i].act();
  }
  due(50_000, 75_000)[0].act(); // an old timer
  assert.deepEqual(socket.sent, ["hello", "hello", "hello"]);
  assert.equal(ended.length, 2);
});

test("it goes on saying ping in the lobby, and one chain of pings is enough", () => {
  openLine();
  const [socket] = Socket.all;
  socket.hear(lobby(50_000));
  assert.equal(due(3000, 3000).length, 1);
  due(3000, 3000)[0].act();
  assert.deepEqual(socket.sent, ["hello", "ping"]);
  due(50_000, 75_000)[0].act();
  socket.hear({ welcome });
  assert.equal(due(3000, 3000).length, 2, "the next of the same chain, and no other");
});

test("a hello from the lobby that nobody answers breaks the line; the patience of an older one does not", () => {
  const line = openLine();
  const [socket] = Socket.all;
  const [patience] = due(6000, 6000);
  socket.hear(lobby(50_000));
  due(50_000, 75_000)[0].act();
  patience.act();
  assert.equal(line.state, "connecting");
  due(6000, 6000)[1].act();
  assert.equal(line.state, "waiting");
  assert.equal(ended.length, 2);
});

test("after a break the next gate is tried, after a good-bye the one that it names", () => {
  const urls = [];
  globalThis.WebSocket = class extends Socket {
    constructor(url) {
      super(url);
      urls.push(url);
    }
  };
  const line = new Line({
    gates: new Gates(["a", "b"], (address) => `ws://${address}`, 0), hello: () => ({ client: "t" }),
    events: { welcome: () => undefined, record: () => undefined, answer: () => undefined, ended: (e) => ended.push(e) },
  });
  line.open();
  Socket.all[0].onclose();
  assert.equal(line.state, "waiting");
  line.open();
  Socket.all[1].hear({ welcome: { ...welcome, gates: ["b", "c"] } });
  Socket.all[1].hear({ goodbye: { code: CODES.indexOf("SERVER_STOPS"), retry_after_ms: 700, gates: ["c", "a"] } });
  Socket.all[1].onclose();
  assert.equal(ended.at(-1).code, "SERVER_STOPS");
  line.open();
  Socket.all[2].onclose(); // c is dead, too
  line.open();
  assert.deepEqual(urls, ["ws://a", "ws://b", "ws://c", "ws://a"]);
});
