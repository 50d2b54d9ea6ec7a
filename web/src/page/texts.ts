// Everything a person reads, in English and Korean.

import type { Code } from "../wire/messages";

export type Language = "en" | "ko";

export interface Texts {
  title: string;
  tagline: string;
  enter: string;
  enter_again: string;
  entering: string;
  leave: string;
  people: (n: number) => string;
  nearby: (n: number) => string;
  island: (id: number) => string;
  islands: string;
  islands_close: string;
  zoom_in: string;
  zoom_out: string;
  whole_sea: string;
  to_me: string;
  language: string;
  ride: string;
  say: string;
  say_send: string;
  help: string;
  help_touch: string;
  chart_label: string;
  connecting: string;
  retry_in: (seconds: number) => string;
  retry_now: string;
  come_back: string;
  begin_anew: string;
  reload: string;
  lost: string;
  no_webgl: string;
  no_islands: string;
  said_by_you: string;
  codes: Record<Code, string>;
}

const en: Texts = {
  title: "seom",
  tagline: "a sea of islands, one world",
  enter: "Make an avatar",
  enter_again: "Walk on",
  entering: "Going ashore…",
  leave: "Leave",
  people: (n) => (n === 1 ? "1 person at sea" : `${n.toLocaleString("en")} people on the islands`),
  nearby: (n) => (n === 0 ? "Nobody near you" : n === 1 ? "1 other near you" : `${n} others near you`),
  island: (id) => `Island ${id}`,
  islands: "Islands",
  islands_close: "Close the list of islands",
  zoom_in: "Zoom in",
  zoom_out: "Zoom out",
  whole_sea: "Show the whole sea",
  to_me: "Back to my avatar",
  language: "한국어로 보기",
  ride: "Ride",
  say: "Say something to those nearby",
  say_send: "Say",
  help: "Walk with WASD, the arrows or a click · Shift rides · Enter speaks",
  help_touch: "Tap to walk there, hold to keep walking",
  chart_label: "Sea chart. Arrow keys move it, plus and minus zoom.",
  connecting: "Connecting…",
  retry_in: (s) => `Trying again in ${s} s`,
  retry_now: "Try now",
  come_back: "Play here instead",
  begin_anew: "Begin anew",
  reload: "Reload the page",
  lost: "The connection was lost.",
  no_webgl: "This browser cannot draw the chart: it has no WebGL2. Any browser of the last years on a machine with graphics can.",
  no_islands: "The chart could not be loaded. Is the world still running?",
  said_by_you: "You",
  codes: {
    FINE: "All is well.",
    MALFORMED: "The server and this page do not understand each other. Reload the page.",
    TOO_LARGE: "That was too long.",
    UNKNOWN_MESSAGE: "The server does not know what this page asked for. Reload the page.",
    TOO_FAST: "That was too fast. Take a breath.",
    TOO_SLOW: "This connection is too slow at the moment.",
    SILENT: "Nothing was heard from you for a while.",
    PROTOCOL: "The world has been renewed. Reload the page.",
    BAD_TICKET: "This world does not know your avatar. It may be a new world.",
    REPLACED: "Your avatar walks on in another window.",
    SERVER_STOPS: "The world is being restarted. It will be back in a moment.",
    FULL: "The world is full at the moment.",
    RETRY_AFTER: "Not now; in a moment.",
    CONFLICT: "Somebody was faster.",
    NOT_FOUND: "That is not there any more.",
    REFUSED: "That is not allowed here.",
    LEFT: "You have left the world.",
  },
};

const ko: Texts = {
  title: "섬",
  tagline: "섬과 바다, 하나의 세계",
  enter: "아바타 만들기",
  enter_again: "이어서 걷기",
  entering: "섬에 오르는 중…",
  leave: "나가기",
  people: (n) => `섬에 ${n.toLocaleString("ko")}명이 있습니다`,
  nearby: (n) => (n === 0 ? "근처에 아무도 없습니다" : `근처에 ${n}명`),
  island: (id) => `섬 ${id}`,
  islands: "섬 목록",
  islands_close: "섬 목록 닫기",
  zoom_in: "확대",
  zoom_out: "축소",
  whole_sea: "바다 전체 보기",
  to_me: "내 아바타로",
  language: "View in English",
  ride: "말 타기",
  say: "근처 사람에게 말하기",
  say_send: "말하기",
  help: "WASD·방향키·클릭으로 걷기 · Shift 말 타기 · Enter 말하기",
  help_touch: "누르면 그곳으로, 누르고 있으면 계속 걷습니다",
  chart_label: "해도. 방향키로 움직이고 더하기와 빼기로 확대·축소합니다.",
  connecting: "연결하는 중…",
  retry_in: (s) => `${s}초 뒤에 다시 연결합니다`,
  retry_now: "지금 연결",
  come_back: "여기서 이어하기",
  begin_anew: "새로 시작",
  reload: "새로 고침",
  lost: "연결이 끊어졌습니다.",
  no_webgl: "이 브라우저는 WebGL2가 없어 해도를 그릴 수 없습니다. 그래픽을 쓸 수 있는 최신 브라우저로 열어 주세요.",
  no_islands: "해도를 불러오지 못했습니다. 서버가 켜져 있나요?",
  said_by_you: "나",
  codes: {
    FINE: "좋습니다.",
    MALFORMED: "서버와 페이지가 서로를 이해하지 못합니다. 새로 고쳐 주세요.",
    TOO_LARGE: "너무 깁니다.",
    UNKNOWN_MESSAGE: "서버가 모르는 요청입니다. 새로 고쳐 주세요.",
    TOO_FAST: "너무 빠릅니다. 잠시 쉬어 주세요.",
    TOO_SLOW: "지금은 연결이 너무 느립니다.",
    SILENT: "한동안 응답이 없었습니다.",
    PROTOCOL: "세계가 새로워졌습니다. 새로 고쳐 주세요.",
    BAD_TICKET: "이 세계는 당신의 아바타를 모릅니다. 새로운 세계일 수 있습니다.",
    REPLACED: "다른 창에서 아바타가 이어서 걷고 있습니다.",
    SERVER_STOPS: "세계를 다시 시작하고 있습니다. 곧 돌아옵니다.",
    FULL: "지금은 세계가 가득 찼습니다.",
    RETRY_AFTER: "지금은 안 됩니다. 잠시 뒤에 다시 해 주세요.",
    CONFLICT: "다른 사람이 먼저 했습니다.",
    NOT_FOUND: "이제 거기에 없습니다.",
    REFUSED: "여기서는 할 수 없습니다.",
    LEFT: "세계를 떠났습니다.",
  },
};

export const TEXTS: Record<Language, Texts> = { en, ko };

const KEY = "seom.language";

export function firstLanguage(stored: string | null, preferred: readonly string[]): Language {
  if (stored === "en" || stored === "ko") return stored;
  const known = preferred.map((tag) => tag.toLowerCase().slice(0, 2)).find((tag) => tag === "en" || tag === "ko");
  return known === "ko" ? "ko" : "en";
}

export function rememberedLanguage(): Language {
  return firstLanguage(readStored(KEY), navigator.languages);
}

export function rememberLanguage(language: Language): void {
  writeStored(KEY, language);
}

// Storage may be forbidden; the page works without, it only forgets.
export function readStored(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

export function writeStored(key: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // forgotten
  }
}
