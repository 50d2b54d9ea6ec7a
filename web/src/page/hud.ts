// The cards over the chart: title and count, list of islands, tools, the way in, the say line, banner and toast. Only
// shows what it is told and reports what is pressed; text of people goes through textContent alone.

import type { Island } from "../sea/islands";
import { placeName } from "./gazetteer";
import type { HomeRow } from "../sea/homes";
import type { Rgb } from "../chart/theme";
import { TEXTS, type Language, type Texts } from "./texts";

const TOAST_MS = 3500;
const HINT_MS = 14000;
const HEARD_LINES_MAX = 20;

export interface HudEvents {
  enter(): void;
  leave(): void;
  say(text: string): boolean;
  ride(on: boolean): void;
  zoom(factor: number): void;
  home(): void;          // the whole sea, or back to the avatar
  island(island: Island): void;
  language(language: Language): void;
}

export interface Banner {
  text: string;
  wait: string;
  action: string;
  act: () => void;
}

function byId<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

function homeRow(): HTMLLIElement {
  const row = document.createElement("li");
  row.append(...["swatch", "name", "state", "count"].map((c) => {
    const span = document.createElement("span");
    span.className = c;
    return span;
  }));
  return row;
}

export class Hud {
  texts: Texts;
  private playing = false;
  private riding = false;
  private has_ticket = false;
  private banner: Banner | undefined;
  private toast_timer: ReturnType<typeof setTimeout> | undefined;
  private rows: { island: Island; row: HTMLLIElement; name: HTMLElement; count: HTMLElement; area: HTMLElement }[] = [];

  constructor(private language: Language, private readonly events: HudEvents) {
    this.texts = TEXTS[language];
    byId("enter").onclick = () => events.enter();
    byId("leave").onclick = () => events.leave();
    byId("ride").onclick = () => events.ride(!this.riding);
    byId("zoom-in").onclick = () => events.zoom(1.8);
    byId("zoom-out").onclick = () => events.zoom(1 / 1.8);
    byId("whole").onclick = () => events.home();
    byId("language").onclick = () => this.setLanguage(this.language === "en" ? "ko" : "en");
    byId("panel-open").onclick = () => this.openPanel(byId("islands").hidden);
    byId("banner-act").onclick = () => this.banner?.act();
    const say = byId<HTMLInputElement>("say");
    byId<HTMLFormElement>("talk").onsubmit = (event) => {
      event.preventDefault();
      const text = say.value.trim();
      if (text !== "" && !events.say(text)) return;
      say.value = "";
      say.blur(); // back to walking
    };
    say.onkeydown = (event) => {
      if (event.key === "Escape") say.blur();
      event.stopPropagation(); // letters are not steps
    };
    this.label();
  }

  setLanguage(language: Language): void {
    this.language = language;
    this.texts = TEXTS[language];
    this.label();
    this.events.language(language);
  }

  setIslands(islands: readonly Island[]): void {
    this.rows = islands.map((island) => {
      const row = document.createElement("li");
      const button = document.createElement("button");
      button.type = "button";
      button.dataset["island"] = String(island.id);
      const [name, count, area] = ["name", "count", "area"].map((c) => {
        const span = document.createElement("span");
        span.className = c;
        button.append(span);
        return span;
      }) as [HTMLElement, HTMLElement, HTMLElement];
      button.onclick = () => {
        if (matchMedia("(max-width: 700px)").matches) this.openPanel(false);
        this.events.island(island);
      };
      row.append(button);
      return { island, row, name, count, area };
    });
    this.setCounts(() => 0);
    this.label();
  }

  nameOf(island: Island): string {
    return island.name !== "" ? island.name : (placeName(island, this.language) ?? this.texts.island(island.id));
  }

  setCounts(people: (island: number) => number): void {
    this.rows.sort((a, b) => people(b.island.id) - people(a.island.id) || b.island.land_m2 - a.island.land_m2);
    const list = byId("islands");
    this.rows.forEach(({ island, row, name, count, area }, i) => {
      const n = people(island.id);
      setText(name, this.nameOf(island));
      setText(count, n > 0 ? String(n) : "");
      const km2 = island.land_m2 / 1e6;
      setText(area, `${km2.toLocaleString(this.language, { maximumSignificantDigits: 3 })} km²`);
      if (list.children[i] !== row) list.insertBefore(row, list.children[i] ?? null);
    });
  }

  // Which colour is whose; nothing in a world without homes.
  setHomes(homes: readonly HomeRow[], colourOf: (number: number) => Rgb): void {
    const list = byId("homes");
    list.hidden = homes.length === 0;
    while (list.children.length > homes.length) list.lastElementChild?.remove();
    homes.forEach((home, i) => {
      const row = (list.children[i] as HTMLElement | undefined) ?? list.appendChild(homeRow());
      const [swatch, name, state, count] = [...row.children] as [HTMLElement, HTMLElement, HTMLElement, HTMLElement];
      const serves = home.state === "serving";
      swatch.style.setProperty("--home", `rgb(${colourOf(home.colour).map((c) => Math.round(c * 255)).join(" ")})`);
      swatch.classList.toggle("hollow", !serves);
      setText(name, home.name);
      setText(state, serves ? "" : (this.texts.home_states[home.state] ?? home.state));
      setText(count, serves || home.players > 0 ? home.players.toLocaleString(this.language) : "");
    });
  }

  setPeople(text: string): void {
    setText(byId("people"), text);
  }

  setPlaying(state: "out" | "entering" | "in", has_ticket: boolean): void {
    const was = this.playing;
    this.playing = state === "in";
    this.has_ticket = has_ticket;
    document.body.classList.toggle("playing", this.playing);
    const enter = byId<HTMLButtonElement>("enter");
    enter.hidden = this.playing;
    enter.disabled = state === "entering";
    byId("talk").hidden = !this.playing;
    setText(enter, state === "entering" ? this.texts.entering : has_ticket ? this.texts.enter_again : this.texts.enter);
    this.label();
    if (this.playing && !was) this.hint();
  }

  setRiding(on: boolean): void {
    this.riding = on;
    byId("ride").setAttribute("aria-pressed", String(on));
  }

  setSayBytes(bytes: number): void {
    byId<HTMLInputElement>("say").maxLength = bytes;
  }

  focusSay(): void {
    if (this.playing) byId("say").focus();
  }

  setBanner(banner: Banner | undefined): void {
    this.banner = banner;
    const box = byId("banner");
    if (box.hidden !== (banner === undefined)) box.hidden = banner === undefined;
    if (banner === undefined) return;
    setText(byId("banner-text"), banner.text);
    setText(byId("banner-wait"), banner.wait);
    setText(byId("banner-act"), banner.action);
  }

  toast(text: string): void {
    const toast = byId("toast");
    setText(toast, text);
    toast.hidden = false;
    clearTimeout(this.toast_timer);
    this.toast_timer = setTimeout(() => (toast.hidden = true), TOAST_MS);
  }

  // For those who listen instead of looking.
  heard(text: string): void {
    const log = byId("heard");
    const line = document.createElement("p");
    line.textContent = text;
    log.append(line);
    while (log.children.length > HEARD_LINES_MAX) log.firstElementChild?.remove();
  }

  setScale(scale: number): void {
    // The longest round distance of at most 110 pixels.
    const most = 110 / scale;
    const power = 10 ** Math.floor(Math.log10(most));
    const metres = [5, 2, 1].map((m) => m * power).find((m) => m <= most) ?? power;
    setText(byId("scale-text"), metres >= 1000 ? `${metres / 1000} km` : `${metres} m`);
    byId("scale-bar").style.width = `${(metres * scale).toFixed(1)}px`;
  }

  private openPanel(open: boolean): void {
    byId("islands").hidden = !open;
    byId("panel-open").setAttribute("aria-expanded", String(open));
  }

  private hint(): void {
    const hint = byId("hint");
    hint.classList.remove("over");
    setTimeout(() => hint.classList.add("over"), HINT_MS);
  }

  private label(): void {
    const t = this.texts;
    document.documentElement.lang = this.language;
    document.title = this.language === "ko" ? `${t.title} · ${t.tagline}` : `${t.title}: ${t.tagline}`;
    setText(byId("title"), t.title);
    setText(byId("panel-title"), t.islands);
    byId("homes").setAttribute("aria-label", t.homes);
    setText(byId("language-mark"), this.language === "en" ? "한" : "EN");
    setText(byId("say-send"), t.say_send);
    const touch = matchMedia("(pointer: coarse)").matches;
    setText(byId("hint"), this.playing ? (touch ? t.help_touch : t.help) : t.tagline);
    const enter = byId<HTMLButtonElement>("enter");
    setText(enter, enter.disabled ? t.entering : this.has_ticket ? t.enter_again : t.enter);
    const { value } = t;
    const names: [string, string][] = [
      ["bag-open", value.bag], ["inbox-open", value.inbox], ["card-close", value.close],
      ["chart", t.chart_label], ["language", t.language], ["zoom-in", t.zoom_in], ["zoom-out", t.zoom_out],
      ["whole", this.playing ? t.to_me : t.whole_sea], ["ride", t.ride], ["leave", t.leave], ["say", t.say],
    ];
    for (const [id, name] of names) {
      byId(id).setAttribute("aria-label", name);
      if (id !== "chart" && id !== "say") byId(id).title = name;
    }
    byId<HTMLInputElement>("say").placeholder = t.say;
  }
}
