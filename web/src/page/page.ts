// The page as a whole: joins chart, lines, avatar and cards, and runs the frame loop.

import { addMover, addThing } from "../chart/beings";
import { Camera } from "../chart/camera";
import { Painter, type Being, type HomeDot, type Light } from "../chart/painter";
import { DISC, RING } from "../chart/sprites";
import { DAY, homeColour, NIGHT } from "../chart/theme";
import type { Avatar, Will } from "../sea/avatar";
import { Gates } from "../sea/gates";
import { Homes } from "../sea/homes";
import { boxOfAll, islandAt, type Island } from "../sea/islands";
import type { Ending } from "../sea/line";
import { cutToBytes, Play } from "../sea/play";
import { moverDrawnAt, type Replica } from "../sea/replica";
import { Watch, windowAround } from "../sea/watch";
import { distanceMm, knownThing, TREE } from "../sea/things";
import { LOOK_ANIMAL } from "../wire/batch";
import { CHANNEL_WORLD, type Said } from "../wire/messages";
import { motionMoves } from "../wire/motion";
import { playUrl } from "./address";
import { Hands } from "./hands";
import { Hud } from "./hud";
import { Input } from "./input";
import { Pace } from "./pace";
import { Bubbles, IslandLabels } from "./overlay";
import { rememberedLanguage, rememberLanguage } from "./texts";
import { setInside, tickets, wasInside } from "./ticket";

const LOOK_SCALE = 0.9;         // from this many pixels a metre on a spectator sees people move
const LIGHTS_GONE_SCALE = 2.4;
const LIGHTS_BEHIND_DOTS = 0.4;
const WORDS_SCALE = 2.5;       // and from here on what they say
const CROWD_SCALE = 1.15;      // flights to where people are, and on to one of them
const PERSON_SCALE = 10;
const TOUCH_PX = 26;
const LABELS_GONE_SCALE = 0.25;
const PLAY_SCALE = 15;
const PLAY_SCALE_MIN = 0.002;
const CALM_FRAME_MS = 50;      // when nothing moves but the water
const STILL_FRAME_MS = 1000;   // and for those who asked for less of it
const FOOT_PX = 100;           // what the cards at the lower edge take
const FINGER_PX = 16;          // so near to somebody or something a tap is meant for it
const FINGER_MM = 900;
const REPORT_MM = 90000;
const SPLASH: [number, number, number] = [1, 1, 1];

export class Page {
  private readonly camera = new Camera();
  private readonly painter: Painter;
  private readonly hud: Hud;
  private readonly input: Input;
  private readonly hands: Hands;
  private readonly labels = new IslandLabels();
  private readonly bubbles = new Bubbles();
  private readonly watch: Watch;
  private readonly play: Play;
  private readonly homes: Homes;
  private readonly by_id: Map<number, Island>;
  private phase: "out" | "entering" | "in" = "out";
  private ending: { of: "watch" | "play"; ending: Ending } | undefined;
  private lights: Light[] = [];
  private beings: Being[] = [];
  private dots: HomeDot[] = [];
  private riding = false;
  private density_dirty = true;
  private resized = false; // a canvas that changes its size is empty: only just before it is painted
  private following = true; // the camera stays on the own avatar
  private painted_ms = 0;
  private touched_ms = 0; // when the view last changed
  private last_view = "";
  private readonly pace = new Pace(devicePixelRatio);
  private readonly calm = matchMedia("(prefers-reduced-motion: reduce)");

  constructor(private readonly canvas: HTMLCanvasElement, private readonly islands: Island[], addresses: readonly string[], fetchJson: (path: string) => Promise<unknown>) {
    this.by_id = new Map(islands.map((i) => [i.id, i]));
    const night = matchMedia("(prefers-color-scheme: dark)");
    this.painter = new Painter(canvas, islands, night.matches ? NIGHT : DAY);
    night.onchange = () => (this.painter.theme = night.matches ? NIGHT : DAY);
    const gates = () => new Gates(addresses, (address) => playUrl(address, location));
    this.watch = new Watch(gates(), {
      said: (entity, text) => this.phase !== "in" && this.said(entity, text, false),
      density: () => (this.density_dirty = true),
      opened: () => this.opened("watch"),
      ended: (ending) => this.ended("watch", ending),
    });
    this.play = new Play(gates(), tickets, () => this.wishedIsland(), {
      arrived: (island) => this.arrived(island),
      said: (entity, text) => this.said(entity, text, entity === this.play.avatar?.entity),
      line: (said, own) => this.worldSaid(said, own),
      refused: (code) => this.hud.toast(this.hud.texts.codes[code]),
      ended: (ending) => this.ended("play", ending),
    });
    this.homes = new Homes(fetchJson, () => this.homesChanged());
    this.hud = this.makeHud();
    this.hands = new Hands(this.play, this.hud);
    this.input = this.makeInput();
    this.hud.setIslands(islands);
    this.hud.setPlaying("out", tickets.read() !== undefined);
    this.hud.setPeople(this.hud.texts.connecting);
    new ResizeObserver(() => (this.resized = true)).observe(canvas);
    this.resize();
    this.showAll(false);
  }

  // homes: there are several of them, which a world in one process has not.
  run(homes: boolean): void {
    this.watch.line.open();
    if (homes) void this.homes.run();
    if (wasInside() && tickets.read() !== undefined) this.enter();
    const frame = (ms: number) => {
      this.frame(ms);
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  // What is known, for tests and the curious: window.seom().
  report(): object {
    const now_ms = this.play.line.now();
    const own = this.play.avatar;
    const others = (r: Replica, at: number) =>
      [...r.movers.values()].map((m) => ({ entity: String(m.entity), look: m.look, ...moverDrawnAt(m, at), told: m.motion }));
    return {
      phase: this.phase, watching: this.watch.line.state, playing: this.play.line.state, now_ms, people: this.watch.people,
      scale: this.camera.scale, flying: this.camera.flying, island: this.play.island,
      own: own && { entity: String(own.entity), ...own.placeAt(now_ms), moves: own.moves(now_ms), target: own.target(now_ms) },
      near: others(this.play.replica, now_ms), seen: others(this.watch.replica, this.watch.line.now()),
      homes: this.homes.rows, dots: this.dots.length, hollow: this.dots.filter((d) => d.hollow).length,
      things: this.replica().things.size, density: this.pace.density, value: this.reportValue(now_ms),
    };
  }

  // Ids are told as text: JSON knows no such numbers.
  private reportValue(now_ms: number): object {
    const { belongings, commands, avatar, replica } = this.play;
    const at = avatar?.placeAt(now_ms);
    const near = at === undefined ? [] : [...replica.things.values()].filter((t) => distanceMm(t.place, at) <= REPORT_MM);
    return {
      coins: belongings.bag?.holds.coins, slots: belongings.bag?.holds.slots.map((s) => ({ kind: s.kind, count: s.count })),
      offers: belongings.bag?.trades.length, notices: belongings.inbox?.notices.length, card: this.hands.card.sight?.card,
      fresh: belongings.fresh, busy: commands.busy, command: commands.state, seq: String(commands.seq),
      near: near.map((t) => ({ entity: String(t.entity), ...t.place, ...knownThing(t) })),
    };
  }

  private makeHud(): Hud {
    return new Hud(rememberedLanguage(), {
      enter: () => this.enter(),
      leave: () => this.leave(),
      say: (text) => this.say(text),
      ride: (on) => this.ride(on),
      zoom: (factor) => this.zoom(factor, this.camera.width / 2, this.camera.height / 2),
      home: () => (this.phase === "in" ? this.toAvatar() : this.showAll(true)),
      island: (island) => this.showIsland(island),
      language: (language) => {
        rememberLanguage(language);
        this.density_dirty = true;
      },
    });
  }

  private makeInput(): Input {
    return new Input(this.canvas, {
      playing: () => this.phase === "in",
      pan: (dx, dy) => {
        this.camera.pan(dx, dy);
        this.keepOnChart();
      },
      zoom: (factor, x, y) => this.zoom(factor, x, y),
      tap: (x, y) => this.tap(x, y),
      lead: (x, y) => this.lead(x, y),
      leadEnds: () => this.wish({ kind: "stand" }),
      keys: (x, y) => this.wish(x === 0 && y === 0 ? { kind: "stand" } : { kind: "towards", x, y }),
      ride: (on) => this.ride(on),
      speak: () => this.hud.focusSay(),
    });
  }

  // ---- coming and going ----

  private enter(): void {
    this.ending = undefined;
    this.phase = "entering";
    this.play.line.open();
    this.hud.setPlaying("entering", tickets.read() !== undefined);
  }

  // The island that is looked at; from far away, where most people are.
  private wishedIsland(): number {
    const seen = islandAt(this.islands, this.camera.x, this.camera.y);
    if (seen !== undefined && this.camera.scale >= this.camera.scaleFor(seen.box, 0.4)) return seen.id;
    const [most] = [...this.watch.density].sort(([, a], [, b]) => b.people - a.people);
    return most !== undefined && most[1].people > 0 ? most[0] : 0;
  }

  private leave(): void {
    this.play.line.leave();
    this.out();
    const at = this.play.avatar;
    this.play.avatar = undefined;
    if (at !== undefined) this.camera.fly({ x: this.camera.x, y: this.camera.y, scale: this.camera.scale / 6 }, performance.now());
  }

  private out(): void {
    this.phase = "out";
    this.ending = undefined;
    this.ride(false);
    setInside(false);
    this.hud.setPlaying("out", tickets.read() !== undefined);
  }

  private arrived(island: number): void {
    const first = this.phase !== "in";
    this.phase = "in";
    this.opened("play");
    setInside(true);
    this.hud.setSayBytes(this.play.sayBytesMax);
    this.hud.setPlaying("in", true);
    if (first && this.by_id.has(island)) this.toAvatar();
    this.canvas.focus({ preventScroll: true });
  }

  private opened(of: "watch" | "play"): void {
    if (this.ending?.of === of) this.ending = undefined;
  }

  private ended(of: "watch" | "play", ending: Ending): void {
    // The player's line matters more: while it is down nobody needs to hear of the other.
    if (of === "watch" && this.ending?.of === "play") return;
    this.ending = { of, ending };
    if (of === "play" && ending.retry_at_ms === undefined) {
      this.phase = "out";
      this.play.avatar = undefined;
      if (ending.code === "REPLACED" || ending.code === "BAD_TICKET") setInside(false);
      this.hud.setPlaying("out", tickets.read() !== undefined);
    }
  }

  private banner(local_ms: number): void {
    const t = this.hud.texts;
    if (this.ending === undefined) return this.hud.setBanner(undefined);
    const { of, ending } = this.ending;
    const text = ending.code === undefined ? t.lost : t.codes[ending.code];
    const line = of === "play" ? this.play.line : this.watch.line;
    if (ending.retry_at_ms !== undefined) {
      const seconds = Math.max(0, Math.ceil((ending.retry_at_ms - local_ms) / 1000));
      const wait = line.state === "connecting" ? t.connecting : t.retry_in(seconds);
      return this.hud.setBanner({ text, wait, action: t.retry_now, act: () => line.open() });
    }
    const anew = ending.code === "REPLACED" ? t.come_back : ending.code === "BAD_TICKET" ? t.begin_anew : t.reload;
    const act = anew === t.reload ? () => location.reload() : () => this.enter();
    this.hud.setBanner({ text, wait: "", action: anew, act });
  }

  // ---- acting ----

  private wish(will: Will): void {
    if (this.phase !== "in" || this.play.line.state !== "open") return;
    if (will.kind === "towards") this.hands.letGo();
    this.play.avatar?.wish(will, this.riding ? 1 : 0, this.play.line.now());
  }

  private ride(on: boolean): void {
    if (this.riding === on) return;
    this.riding = on;
    this.hud.setRiding(on);
    this.play.avatar?.mount(on ? 1 : 0, this.play.line.now());
  }

  private placeUnder(x: number, y: number): { x_mm: number; y_mm: number } | undefined {
    const island = this.by_id.get(this.play.island);
    if (island === undefined) return undefined;
    return {
      x_mm: Math.round((this.camera.worldX(x) - island.x_m) * 1000),
      y_mm: Math.round((this.camera.worldY(y) - island.y_m) * 1000),
    };
  }

  private tap(x: number, y: number): void {
    if (this.phase !== "in") return this.towards(x, y);
    const place = this.placeUnder(x, y);
    const at = this.play.avatar?.placeAt(this.play.line.now());
    if (place === undefined || at === undefined) return;
    const finger_mm = Math.max((FINGER_PX / this.camera.scale) * 1000, FINGER_MM);
    if (!this.hands.tap(place, finger_mm, at, this.play.line.now())) this.wish({ kind: "to", place });
  }

  // A spectator touches a light: closer to it.
  private towards(x: number, y: number): void {
    if (this.camera.scale >= LOOK_SCALE) return;
    const distance = (l: Light) => Math.hypot(this.camera.screenX(l.x) - x, this.camera.screenY(l.y) - y);
    const nearest = this.lights.reduce<Light | undefined>((a, b) => (a === undefined || distance(b) < distance(a) ? b : a), undefined);
    if (nearest === undefined || distance(nearest) > TOUCH_PX) return;
    this.camera.fly({ x: nearest.x, y: nearest.y, scale: Math.min(this.camera.scale * 6, CROWD_SCALE) }, performance.now());
  }

  private lead(x: number, y: number): void {
    const to = this.placeUnder(x, y);
    const avatar = this.play.avatar;
    if (to === undefined || avatar === undefined) return;
    const at = avatar.placeAt(this.play.line.now());
    const dx = to.x_mm - at.x_mm;
    const dy = to.y_mm - at.y_mm;
    // Sixty-four ways are enough: a trembling finger is no news.
    const angle = (Math.round((Math.atan2(dy, dx) / Math.PI) * 32) / 32) * Math.PI;
    if (Math.hypot(dx, dy) > 700) this.wish({ kind: "towards", x: Math.cos(angle), y: Math.sin(angle) });
    else this.wish({ kind: "stand" });
  }

  // With an exclamation mark in front it is for the whole world, which hears it from the server like everybody else.
  private say(text: string): boolean {
    if (text.startsWith("!")) {
      const all = cutToBytes(text.slice(1).trim(), this.play.sayBytesMax);
      return all === "" || this.play.say(all, CHANNEL_WORLD);
    }
    const line = cutToBytes(text, this.play.sayBytesMax);
    if (!this.play.say(line)) return false;
    const own = this.play.avatar;
    if (own !== undefined) this.bubbles.say(own.entity, line, true, performance.now());
    return true;
  }

  private said(entity: bigint, text: string, own: boolean): void {
    this.bubbles.say(entity, text, own, performance.now());
    this.hud.heard(own ? `${this.hud.texts.said_by_you}: ${text}` : text);
  }

  private worldSaid(said: Said, own: boolean): void {
    const who = own ? this.hud.texts.said_by_you : said.name;
    const line = `${this.hud.texts.to_world}${who === "" ? "" : ` ${who}`}: ${said.text}`;
    this.hud.heard(line);
    this.hud.toast(line);
  }

  // ---- looking ----

  private resize(): void {
    this.camera.resize(this.canvas.clientWidth, this.canvas.clientHeight);
    this.camera.scale_min = this.islands.length > 0 ? this.camera.scaleForFree(boxOfAll(this.islands), 0.55) : PLAY_SCALE_MIN;
    this.painter.resize(this.camera.width, this.camera.height, this.pace.density);
    this.resized = false;
  }

  private showAll(flies: boolean): void {
    if (this.islands.length === 0) return;
    const box = boxOfAll(this.islands);
    // The button below covers a strip: the sea is fitted and lifted above it.
    const share = 0.9 * (1 - FOOT_PX / this.camera.height);
    const scale = this.camera.scaleFor(box, Math.max(share, 0.5));
    const view = { x: (box.x0 + box.x1) / 2, y: (box.y0 + box.y1) / 2 - FOOT_PX / 2 / scale, scale };
    if (flies) this.camera.fly(view, performance.now());
    else Object.assign(this.camera, view);
  }

  // First the island; asked again, where its people are; and again, one of them.
  private showIsland(island: Island): void {
    const { box } = island;
    if (this.phase === "in") this.following = false;
    const wide = { x: (box.x0 + box.x1) / 2, y: (box.y0 + box.y1) / 2, scale: this.camera.scaleFor(box, 0.7) };
    const here = islandAt(this.islands, this.camera.x, this.camera.y) === island;
    const person = here && this.camera.scale >= LOOK_SCALE ? this.nearestPerson(island) : undefined;
    const crowd = here && this.camera.scale >= wide.scale * 0.85 ? this.crowdOf(island) : undefined;
    const to = person !== undefined ? { ...person, scale: PERSON_SCALE } : crowd !== undefined ? { ...crowd, scale: CROWD_SCALE } : wide;
    this.camera.fly(to, performance.now());
  }

  // The middle of the fullest cell; if the harbour lies in that cell, most of them will be there.
  private crowdOf(island: Island): { x: number; y: number } | undefined {
    const d = this.watch.density.get(island.id);
    if (d === undefined || d.people === 0) return undefined;
    const most = d.cells.reduce((a, b) => (b.people > a.people ? b : a));
    const x = island.x_m + most.column * d.cell_m;
    const y = island.y_m + most.row * d.cell_m;
    const { harbour_x, harbour_y } = island;
    const harbour = harbour_x >= x && harbour_x < x + d.cell_m && harbour_y >= y && harbour_y < y + d.cell_m;
    return harbour ? { x: harbour_x, y: harbour_y } : { x: x + d.cell_m / 2, y: y + d.cell_m / 2 };
  }

  private nearestPerson(island: Island): { x: number; y: number } | undefined {
    if (this.watch.replica.island !== island.id) return undefined;
    let best: { x: number; y: number } | undefined;
    let best_m = Infinity;
    for (const m of this.watch.replica.movers.values()) {
      const at = moverDrawnAt(m, this.watch.line.now());
      const place = { x: island.x_m + at.x_mm / 1000, y: island.y_m + at.y_mm / 1000 };
      const distance_m = Math.hypot(place.x - this.camera.x, place.y - this.camera.y);
      if (m.look < LOOK_ANIMAL && distance_m < best_m) {
        best = place;
        best_m = distance_m;
      }
    }
    return best;
  }

  private toAvatar(): void {
    const at = this.ownPlace();
    if (at === undefined) return;
    this.following = false;
    this.camera.fly({ ...at, scale: PLAY_SCALE }, performance.now(), () => (this.following = true));
  }

  private zoom(factor: number, x: number, y: number): void {
    if (this.phase === "in" && this.following) this.camera.zoom(factor);
    else this.camera.zoom(factor, x, y);
    this.keepOnChart();
  }

  private keepOnChart(): void {
    if (this.islands.length === 0) return;
    const box = boxOfAll(this.islands);
    this.camera.x = Math.min(Math.max(this.camera.x, box.x0), box.x1);
    this.camera.y = Math.min(Math.max(this.camera.y, box.y0), box.y1);
  }

  private ownPlace(): { x: number; y: number } | undefined {
    const island = this.by_id.get(this.play.island);
    const avatar = this.play.avatar;
    if (island === undefined || avatar === undefined) return undefined;
    const at = avatar.drawnAt(this.play.line.now());
    return { x: island.x_m + at.x_mm / 1000, y: island.y_m + at.y_mm / 1000 };
  }

  private replica(): Replica {
    return this.phase === "in" ? this.play.replica : this.watch.replica;
  }

  // ---- the frame ----

  private frame(local_ms: number): void {
    this.camera.turn(local_ms);
    this.input.turn(local_ms);
    const avatar = this.play.avatar;
    if (avatar !== undefined && this.play.line.state === "open") avatar.turn(this.play.line.now());
    const own = this.ownPlace();
    if (this.phase === "in" && own !== undefined && this.following) {
      this.camera.x = own.x;
      this.camera.y = own.y;
    }
    this.look();
    this.watch.turn(local_ms);
    this.hands.turn(local_ms, this.play.line.now(), this.phase === "in" ? avatar?.placeAt(this.play.line.now()) : undefined);
    this.banner(local_ms);
    const lively = this.camera.flying || this.camera.scale > LOOK_SCALE || local_ms - this.touched_ms < 600;
    const rest_ms = lively ? 0 : this.calm.matches ? STILL_FRAME_MS : CALM_FRAME_MS;
    if (!this.resized && local_ms - this.painted_ms < rest_ms) return this.words(local_ms);
    if (this.resized) this.resize();
    this.gather();
    const started = performance.now();
    const far = 1 - smooth(LOOK_SCALE, LIGHTS_GONE_SCALE, this.camera.scale);
    this.painter.paint({
      camera: this.camera, time_ms: this.calm.matches ? 0 : local_ms, lights: this.lights, beings: this.beings, dots: this.dots,
      lights_alpha: this.dots.length > 0 ? far * LIGHTS_BEHIND_DOTS : far, dots_alpha: far,
    });
    this.painted_ms = local_ms;
    if (this.pace.painted(local_ms, performance.now() - started, rest_ms)) this.resized = true;
    this.words(local_ms);
  }

  // A spectator's window follows the camera; a player's neighbourhood is the server's business.
  private look(): void {
    const view = `${this.camera.x.toFixed(2)} ${this.camera.y.toFixed(2)} ${this.camera.scale.toPrecision(5)}`;
    if (view !== this.last_view) this.touched_ms = performance.now();
    this.last_view = view;
    const c = this.camera;
    if (this.phase === "in" || c.scale < LOOK_SCALE || this.camera.flying) return this.watch.look(undefined);
    const island = islandAt(this.islands, c.x, c.y);
    if (island === undefined) return this.watch.look(undefined);
    this.watch.look(windowAround(island.id, c.x - island.x_m, c.y - island.y_m, c.width / c.scale, c.height / c.scale));
  }

  private gather(): void {
    if (this.density_dirty) this.gatherDensity();
    this.beings = [];
    if (this.camera.scale < LOOK_SCALE) return;
    const replica = this.replica();
    const line = this.phase === "in" ? this.play.line : this.watch.line;
    const island = this.by_id.get(this.phase === "in" ? this.play.island : replica.island);
    if (island === undefined) return;
    const now_ms = line.now();
    const own = this.ownPlace();
    if (own !== undefined && this.phase === "in") this.gatherMark(own, island);
    this.gatherThings(island, (thing) => thing !== TREE);
    for (const [m, at] of replica.drawn(now_ms)) {
      if (m.entity === this.play.avatar?.entity) continue;
      addMover(this.beings, {
        entity: m.entity, look: m.look, x: island.x_m + at.x_mm / 1000, y: island.y_m + at.y_mm / 1000,
        heading: m.heading, walks: motionMoves(m.motion, now_ms), alpha: at.alpha,
      });
    }
    if (own !== undefined && this.phase === "in") {
      const a = this.play.avatar as Avatar;
      addMover(this.beings, { entity: a.entity, look: a.look, ...own, heading: a.heading, walks: a.moves(now_ms), alpha: 1 });
    }
    this.gatherThings(island, (thing) => thing === TREE);
  }

  // What lies on the ground is below people, crowns of trees are above them.
  private gatherThings(island: Island, which: (thing: number) => boolean): void {
    for (const t of this.replica().things.values()) {
      if (which(t.thing)) addThing(this.beings, { ...t, x: island.x_m + t.place.x_mm / 1000, y: island.y_m + t.place.y_mm / 1000 });
    }
  }

  private gatherMark(own: { x: number; y: number }, island: Island): void {
    const a = this.play.avatar as Avatar;
    const common = { heading: a.heading, walks: false, phase: 0, alpha: 0.95 };
    this.beings.push({ ...common, ...own, sprite: DISC, tint: this.painter.theme.own, alpha: 0.8 });
    this.beings.push({ ...common, ...own, sprite: RING, tint: this.painter.theme.own });
    const target = a.target(this.play.line.now());
    if (target === undefined) return;
    const at = { x: island.x_m + target.x_mm / 1000, y: island.y_m + target.y_mm / 1000 };
    this.beings.push({ ...common, ...at, sprite: DISC, tint: SPLASH, alpha: 0.7 });
  }

  private homesChanged(): void {
    this.dots = [];
    for (const d of this.homes.dots) {
      const island = this.by_id.get(d.island);
      if (island === undefined) continue;
      this.dots.push({ x: island.x_m + d.x_m, y: island.y_m + d.y_m, tint: homeColour(d.colour), hollow: d.hollow, alpha: d.alpha });
    }
    this.hud.setHomes(this.homes.rows, homeColour);
  }

  private gatherDensity(): void {
    this.density_dirty = false;
    this.lights = [];
    for (const [id, d] of this.watch.density) {
      const island = this.by_id.get(id);
      if (island === undefined) continue;
      for (const c of d.cells) {
        this.lights.push({
          x: island.x_m + (c.column + 0.5) * d.cell_m, y: island.y_m + (c.row + 0.5) * d.cell_m, radius_m: d.cell_m, people: c.people,
        });
      }
    }
    const people = (id: number) => this.watch.density.get(id)?.people ?? 0;
    this.labels.set(this.islands, (i) => this.hud.nameOf(i), people, (n) => n.toLocaleString());
    this.hud.setCounts(people);
  }

  private words(local_ms: number): void {
    const t = this.hud.texts;
    const opened = this.watch.line.state === "open";
    this.hud.setPeople(this.phase === "in" ? t.nearby(this.othersNear()) : opened ? t.people(this.watch.people) : t.connecting);
    this.hud.setScale(this.camera.scale);
    this.labels.place(this.camera, 1 - smooth(LABELS_GONE_SCALE * 0.5, LABELS_GONE_SCALE, this.camera.scale));
    this.bubbles.place(local_ms, (entity) => this.headOf(entity));
  }

  private othersNear(): number {
    let n = 0;
    for (const m of this.play.replica.movers.values()) if (m.look < LOOK_ANIMAL) n += 1;
    return n;
  }

  private headOf(entity: bigint): { x: number; y: number } | undefined {
    if (this.camera.scale < WORDS_SCALE) return undefined;
    const lift = Math.max(0.7 * this.camera.scale, 8);
    if (entity === this.play.avatar?.entity && this.phase === "in") {
      const own = this.ownPlace();
      return own && { x: this.camera.screenX(own.x), y: this.camera.screenY(own.y) - lift };
    }
    const replica = this.replica();
    const m = replica.movers.get(entity);
    const island = this.by_id.get(this.phase === "in" ? this.play.island : replica.island);
    if (m === undefined || island === undefined) return undefined;
    const at = moverDrawnAt(m, (this.phase === "in" ? this.play.line : this.watch.line).now());
    return { x: this.camera.screenX(island.x_m + at.x_mm / 1000), y: this.camera.screenY(island.y_m + at.y_mm / 1000) - lift };
  }
}

function smooth(from: number, to: number, at: number): number {
  const t = Math.min(Math.max((at - from) / (to - from), 0), 1);
  return t * t * (3 - 2 * t);
}
