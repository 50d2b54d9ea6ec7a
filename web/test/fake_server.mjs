// A world of cardboard for working on the page: real islands, walkers, riders, deer and trees around each harbour, but
// no rules, no store, no crowd. The true server is `seom dev`.   node test/fake_server.mjs [HTTP_PORT [PLAY_PORT]]

import { createServer } from "node:http";
import { readFileSync, readdirSync } from "node:fs";
import { join, extname } from "node:path";
import { fileURLToPath } from "node:url";
import { WebSocketServer } from "ws";
import { chunkOf, motionAt, readClientMessage, serverFrame } from "../build/modules.mjs";
import { BatchWriter } from "./batch_writer.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const page = join(here, "../build/page");
const http_port = Number(process.argv[2] ?? 27780);
const play_port = Number(process.argv[3] ?? 27777);
const began = Date.now() - 5_000_000_000; // a world older than 2^32 ms
const now = () => Date.now() - began;
const chance = (a, b) => a + Math.random() * (b - a);

function loadIslands() {
  const rings = new Map();
  for (const line of readFileSync(join(here, "../../worlds/ne10m_korea_sw_coast.csv"), "utf8").trim().split("\n").slice(1)) {
    const [island, , , , x, y] = line.split(",").map(Number);
    if (!rings.has(island)) rings.set(island, []);
    rings.get(island).push([x, y]);
  }
  return [...rings].map(([n, ring]) => {
    const x0 = Math.floor(Math.min(...ring.map((p) => p[0])));
    const y0 = Math.floor(Math.min(...ring.map((p) => p[1])));
    const x1 = Math.max(...ring.map((p) => p[0]));
    const y1 = Math.max(...ring.map((p) => p[1]));
    const flat = ring.flatMap(([x, y]) => [Math.round((x - x0) * 1000), Math.round((y - y0) * 1000)]);
    const area = Math.abs(ring.reduce((s, p, i) => { const q = ring[(i + 1) % ring.length]; return s + p[0] * q[1] - q[0] * p[1]; }, 0) / 2);
    const [hx, hy] = ring[Math.floor(ring.length / 3)];
    const middle = [(x0 + x1) / 2, (y0 + y1) / 2];
    const length = Math.hypot(middle[0] - hx, middle[1] - hy);
    const harbour = [hx + ((middle[0] - hx) / length) * 60 - x0, hy + ((middle[1] - hy) / length) * 60 - y0];
    return {
      id: n + 1, name: "", x_m: x0, y_m: y0, columns: Math.ceil((x1 - x0) / 30), rows: Math.ceil((y1 - y0) / 30),
      land_tiles: Math.round(area / 1.875 ** 2), harbour: harbour.map((m) => Math.round(m * 1000)), rings: [flat],
    };
  });
}

const islands = loadIslands();
const movers = []; // {entity, island, look, motion}
const things = []; // {entity, island, kind, x_mm, y_mm, attributes}
let next_entity = (7n << 48n) | 1n;
const bots_per_island = [70, 22, 14, 9, 6];

for (const [n, island] of islands.entries()) {
  const [hx, hy] = island.harbour;
  const place = (spread) => ({ x_mm: Math.max(0, Math.round(hx + chance(-spread, spread))), y_mm: Math.max(0, Math.round(hy + chance(-spread, spread))) });
  for (let i = 0; i < (bots_per_island[n] ?? 2) + (n < 6 ? 6 : 0); i++) {
    const look = i < (bots_per_island[n] ?? 2) ? (i % 6 === 5 ? 1 : 0) : 2;
    const spread = i % 3 === 0 ? 40000 : i % 3 === 1 ? 400000 : 6000000 / (n + 1);
    movers.push({ entity: next_entity++, island: island.id, look, home: place(spread), motion: { ...place(spread), vx: 0, vy: 0, since_ms: now(), lasts_ms: 0 } });
  }
  if (n > 5) continue;
  for (let i = 0; i < 60; i++) things.push({ entity: next_entity++, island: island.id, kind: i % 17 === 0 ? 9 : 1, ...place(110000), attributes: [i % 4, 0, 0, 0, 0, 0, 0, 0, 0] });
}

const clients = new Set();

function send(client, bytes) {
  if (client.socket.readyState === 1) client.socket.send(bytes);
}

// Chunks a client sees.
function sees(client, island, cx, cy) {
  if (client.window) {
    const w = client.window;
    return w.island === island && cx >= chunkOf(w.x_mm) && cx <= chunkOf(w.x_mm + w.w_mm) && cy >= chunkOf(w.y_mm) && cy <= chunkOf(w.y_mm + w.h_mm);
  }
  if (!client.mover || client.mover.island !== island) return false;
  const at = motionAt(client.mover.motion, now());
  return Math.abs(chunkOf(at.x_mm) - cx) <= 1 && Math.abs(chunkOf(at.y_mm) - cy) <= 1;
}

function chunk(place) {
  return [chunkOf(place.x_mm), chunkOf(place.y_mm)];
}

function refresh(client) {
  const island = client.window?.island || client.mover?.island;
  if (!island) return;
  const b = new BatchWriter();
  if (client.known_island !== island) {
    client.known_island = island;
    client.known.clear();
    b.island(island);
  }
  const t = now();
  for (const m of movers) {
    if (m.island !== island || m === client.mover) continue;
    const [cx, cy] = chunk(motionAt(m.motion, t));
    const key = `${m.motion.since_ms} ${cx} ${cy}`;
    const before = client.known.get(m.entity);
    if (sees(client, island, cx, cy)) {
      if (before?.key !== key) b.motion(m.entity, m.look, m.motion);
      const [kx, ky] = chunk(m.motion);
      client.known.set(m.entity, { key, cx: kx, cy: ky });
    } else if (before) {
      b.leave(m.entity, before.cx, before.cy);
      client.known.delete(m.entity);
    }
  }
  for (const thing of things) {
    if (thing.island !== island || client.known.has(thing.entity) || !sees(client, island, ...chunk(thing))) continue;
    client.known.set(thing.entity, { key: "", ...chunk(thing) });
    b.thing(thing.entity, thing.kind, thing.x_mm, thing.y_mm, thing.attributes);
  }
  if (b.bytes().length > 0) send(client, b.frame());
}

function density() {
  const b = new BatchWriter();
  for (const island of islands) {
    const cells = new Map();
    for (const m of movers) {
      if (m.island !== island.id || m.look === 2) continue;
      const at = motionAt(m.motion, now());
      const column = Math.floor(at.x_mm / 480000), row = Math.floor(at.y_mm / 480000);
      const key = column * 65536 + row;
      cells.set(key, { column, row, people: (cells.get(key)?.people ?? 0) + 1 });
    }
    b.density(island.id, 480, [...cells.values()]);
  }
  return b.frame();
}

function stroll() {
  const t = now();
  for (const m of movers) {
    if (m.player || t < m.motion.since_ms + m.motion.lasts_ms) continue;
    const at = motionAt(m.motion, t);
    const home = Math.atan2(m.home.y_mm - at.y_mm, m.home.x_mm - at.x_mm) + chance(-1.2, 1.2);
    const rests = Math.random() < 0.25;
    const speed = rests ? 0 : (m.look === 1 ? chance(4, 9) : m.look === 2 ? 0.9 : 1.5) * 500;
    m.motion = { ...at, vx: Math.round(Math.cos(home) * speed), vy: Math.round(Math.sin(home) * speed), since_ms: t, lasts_ms: Math.round(chance(900, 4000)) };
  }
  if (Math.random() < 0.02) {
    const speaker = movers[Math.floor(Math.random() * 60)];
    speak(speaker, ["안녕하세요!", "Which way to the harbour?", "바람이 좋네요", "There is a deer over there"][Math.floor(Math.random() * 4)]);
  }
}

function speak(mover, text) {
  const b = new BatchWriter().say(mover.entity, text).frame();
  const [cx, cy] = chunk(motionAt(mover.motion, now()));
  for (const c of clients) if (sees(c, mover.island, cx, cy)) send(c, b);
}

function hello(client, h) {
  const welcome = {
    protocol: 1, limits: { frame_bytes_max: 65536, messages_per_s: 30, messages_burst: 60, bytes_per_s: 32768, silence_ms_max: 15000, say_bytes_max: 200 },
    world_ms: now(), entity: 0n, player: 0n, session_epoch: 1n, last_seq: 0n, ticket: new Uint8Array(0), island: 0, gates: [],
    speeds: [{ look: 0, mm_per_s: 7000 }, { look: 1, mm_per_s: 45000 }],
  };
  if (!h.spectator) {
    const island = islands[0];
    const key = Buffer.from(h.ticket ?? []).toString();
    let mover = movers.find((m) => m.player && String(m.entity) === key);
    if (mover === undefined) {
      mover = { entity: next_entity++, island: island.id, look: 0, player: true, motion: { x_mm: island.harbour[0], y_mm: island.harbour[1], vx: 0, vy: 0, since_ms: now(), lasts_ms: 0 } };
      movers.push(mover);
    }
    for (const other of clients) {
      if (other.mover !== mover) continue;
      send(other, serverFrame({ goodbye: { code: 9, retry_after_ms: 0, gates: [] } }));
      other.mover = undefined;
      other.socket.close();
    }
    client.mover = mover;
    Object.assign(welcome, { entity: mover.entity, player: mover.entity, ticket: Uint8Array.from(Buffer.from(String(mover.entity))), island: mover.island, motion: mover.motion });
  }
  send(client, serverFrame({ welcome }));
  if (h.spectator) send(client, density());
}

function moved(client, move) {
  const m = client.mover;
  if (m === undefined) return;
  const fence = motionAt(m.motion, now());
  // One rule, so that corrections can be seen: nobody goes further than 300 m from the harbour.
  const island = islands[0];
  if (Math.hypot(move.motion.x_mm - island.harbour[0], move.motion.y_mm - island.harbour[1]) > 300000) {
    m.motion = { ...fence, vx: 0, vy: 0, since_ms: now(), lasts_ms: 0 };
    return send(client, new BatchWriter().self(1, move.move_no, m.entity, m.look, m.motion).frame());
  }
  m.motion = move.motion;
  m.look = move.look;
}

function message(client, bytes) {
  const m = readClientMessage(bytes.subarray(1));
  if (m.hello) hello(client, m.hello);
  else if (m.move) moved(client, m.move);
  else if (m.ping) send(client, serverFrame({ pong: { client_ms: m.ping.client_ms, world_ms: now() } }));
  else if (m.request?.camera) client.window = m.request.camera.island === 0 ? undefined : m.request.camera;
  else if (m.request?.say) {
    speak(client.mover, m.request.say.text);
    send(client, serverFrame({ answer: { number: m.request.number, code: 0 } }));
  }
}

new WebSocketServer({ port: play_port, host: "127.0.0.1" }).on("connection", (socket) => {
  const client = { socket, known: new Map(), known_island: 0, window: undefined, mover: undefined };
  clients.add(client);
  socket.binaryType = "nodebuffer";
  socket.on("message", (data) => message(client, new Uint8Array(data)));
  socket.on("close", () => clients.delete(client));
});

const mimes = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css" };
createServer((request, response) => {
  const json = { "/islands.json": { islands }, "/config.json": { play: `127.0.0.1:${play_port}` } }[request.url];
  if (json) return response.setHeader("Content-Type", "application/json").end(JSON.stringify(json));
  const name = request.url === "/" ? "index.html" : request.url.slice(1);
  if (!readdirSync(page).includes(name)) return response.writeHead(404).end();
  response.setHeader("Content-Type", mimes[extname(name)]);
  response.setHeader("Content-Security-Policy", `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self' ws://*:${play_port} wss://*:${play_port}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`);
  response.end(readFileSync(join(page, name)));
}).listen(http_port, "127.0.0.1", () => console.log(`http://127.0.0.1:${http_port}`));

setInterval(() => {
  stroll();
  for (const c of clients) refresh(c);
}, 100);
setInterval(() => {
  const b = density();
  for (const c of clients) if (!c.mover) send(c, b);
}, 1000);
