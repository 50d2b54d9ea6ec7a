// Everything a person reads, in English and Korean. The texts of codes are those of src/wire/code.h; a test holds them to it.

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
  homes: string;
  home_states: Record<string, string>; // by the word that the cluster has for it
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
  to_world: string;
  value: ValueTexts;
  codes: Record<Code, string>;
}

// Things of value. `what` is what amount() made: "3 fruit".
export interface ValueTexts {
  goods: readonly string[]; // by kind
  unknown: string;
  amount: (count: number, goods: string) => string;
  coins: (n: number) => string;
  nothing: string;
  and: string;
  close: string;
  bag: string;
  bag_room: (used: number, most: number) => string;
  reach: string;
  pick: string;
  take: (what: string) => string;
  open_chest: string;
  person: (name: string) => string;
  stranger: (id: bigint) => string;
  offer_to: (name: string) => string;
  send_to: (name: string) => string;
  how_many: string;
  drop: string;
  eat: string;
  sell: (coins: string) => string;
  build: string;
  market: string;
  buy: (goods: string, coins: string) => string;
  craft: (goods: string, costs: string) => string;
  chest: string;
  in_chest: string;
  in_bag: string;
  put_in: (what: string) => string;
  take_out: (what: string) => string;
  take_up: string;
  all: string;
  offer: string;
  i_give: string;
  i_want: string;
  give_up_to: (what: string) => string;
  coins_field: string;
  offer_it: string;
  send: string;
  text_field: string;
  send_it: string;
  inbox: string;
  inbox_new: (n: number) => string;
  inbox_empty: string;
  offer_from: (name: string) => string;
  mail_from: (name: string) => string;
  holds_things: string;
  own_offers: string;
  own_offer_to: (name: string) => string;
  gives: (name: string) => string;
  wants: (name: string) => string;
  you_give: string;
  you_get: string;
  accept: string;
  refuse: string;
  withdraw: string;
  take_mail: string;
  throw_away: string;
  loading: string;
  gained: (what: string) => string;
  in_mail: string;
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
  homes: "Homes: which process decides for whom",
  home_states: {
    ended: "ended", starts: "dead, starts again", "dies at once": "dies at once", starting: "starting", ending: "ending",
    silent: "silent", draining: "gives its people away", leaving: "leaving",
    "waiting for the store": "waits for the store", "waiting for the directory": "waits for the directory",
  },
  zoom_in: "Zoom in",
  zoom_out: "Zoom out",
  whole_sea: "Show the whole sea",
  to_me: "Back to my avatar",
  language: "한국어로 보기",
  ride: "Ride",
  say: "Say something to those nearby (!: to the whole world)",
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
  to_world: "To the world",
  value: {
    goods: ["", "fruit", "charm", "chest"],
    unknown: "something",
    amount: (n, goods) => (n === 1 || goods === "fruit" ? `${n} ${goods}` : `${n} ${goods}s`),
    coins: (n) => (n === 1 ? "1 coin" : `${n.toLocaleString("en")} coins`),
    nothing: "nothing",
    and: ", ",
    close: "Close",
    bag: "Backpack",
    bag_room: (used, most) => `${used} of ${most} slots in use`,
    reach: "Within reach",
    pick: "Pick fruit",
    take: (what) => `Take ${what}`,
    open_chest: "Open chest",
    person: (name) => name,
    stranger: (id) => `Guest ${id % 10000n}`,
    offer_to: (name) => `Offer ${name} a trade`,
    send_to: (name) => `Send ${name} mail`,
    how_many: "How many",
    drop: "Drop",
    eat: "Eat one",
    sell: (coins) => `Sell for ${coins} each`,
    build: "Set it up here",
    market: "Market and workshop",
    buy: (goods, coins) => `Buy ${goods} for ${coins} each`,
    craft: (goods, costs) => `Make a ${goods}: ${costs}`,
    chest: "Chest",
    in_chest: "In the chest",
    in_bag: "In your backpack",
    put_in: (what) => `Put in ${what}`,
    take_out: (what) => `Take out ${what}`,
    take_up: "Take the chest up",
    all: "all",
    offer: "Offer a trade",
    i_give: "You give",
    i_want: "You want",
    give_up_to: (what) => `of ${what}`,
    coins_field: "Coins",
    offer_it: "Offer it",
    send: "Send mail",
    text_field: "Your lines",
    send_it: "Send it",
    inbox: "Letters and offers",
    inbox_new: (n) => (n === 0 ? "Letters and offers" : `Letters and offers: ${n} waiting`),
    inbox_empty: "Nothing is waiting for you.",
    offer_from: (name) => `${name} offers a trade`,
    mail_from: (name) => `Mail from ${name}`,
    holds_things: "with things in it",
    own_offers: "Your open offers",
    own_offer_to: (name) => `To ${name}`,
    gives: (name) => `${name} gives`,
    wants: (name) => `${name} wants`,
    you_give: "You give",
    you_get: "You get",
    accept: "Accept",
    refuse: "Refuse",
    withdraw: "Withdraw",
    take_mail: "Take",
    throw_away: "Throw away",
    loading: "One moment…",
    gained: (what) => `+ ${what}`,
    in_mail: "Your backpack is full: it waits in a letter.",
  },
  codes: {
    FINE: "Done.",
    MALFORMED: "The connection sent something unreadable.",
    TOO_LARGE: "That was too long.",
    UNKNOWN_MESSAGE: "The server does not know this request.",
    TOO_FAST: "Too many messages at once. Please slow down.",
    TOO_SLOW: "The connection is too slow.",
    SILENT: "Nothing was heard from you for too long.",
    PROTOCOL: "Please update your game.",
    BAD_TICKET: "This ticket is not valid here. Please sign in again.",
    REPLACED: "You connected from somewhere else.",
    SERVER_STOPS: "The server is stopping. Please come back in a moment.",
    FULL: "There is no room at the moment.",
    RETRY_AFTER: "Not right now. Please try again in a moment.",
    CONFLICT: "Somebody else was quicker.",
    NOT_FOUND: "That is not there any more.",
    REFUSED: "That is not allowed here.",
    LEFT: "Good-bye.",
    CLOSED: "This is closed for the moment.",
    UNREADABLE: "Your belongings cannot be read at the moment. We are looking into it.",
    TOO_FAR: "That is too far away.",
    NO_ROOM: "There is no room for it.",
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
  homes: "홈: 누구를 어느 프로세스가 맡는지",
  home_states: {
    ended: "꺼짐", starts: "죽음, 다시 시작", "dies at once": "시작하자마자 죽음", starting: "시작하는 중", ending: "끝내는 중",
    silent: "응답 없음", draining: "사람들을 넘기는 중", leaving: "떠나는 중",
    "waiting for the store": "저장소를 기다리는 중", "waiting for the directory": "주소록을 기다리는 중",
  },
  zoom_in: "확대",
  zoom_out: "축소",
  whole_sea: "바다 전체 보기",
  to_me: "내 아바타로",
  language: "View in English",
  ride: "말 타기",
  say: "근처 사람에게 말하기 (! 온 세상에)",
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
  to_world: "온 세상에",
  value: {
    goods: ["", "열매", "부적", "상자"],
    unknown: "알 수 없는 물건",
    amount: (n, goods) => `${goods} ${n}개`,
    coins: (n) => `${n.toLocaleString("ko")}냥`,
    nothing: "없음",
    and: ", ",
    close: "닫기",
    bag: "배낭",
    bag_room: (used, most) => `${most}칸 중 ${used}칸 사용`,
    reach: "손이 닿는 것",
    pick: "열매 따기",
    take: (what) => `${what} 줍기`,
    open_chest: "상자 열기",
    person: (name) => name,
    stranger: (id) => `손님 ${id % 10000n}`,
    offer_to: (name) => `${name}에게 거래 제안`,
    send_to: (name) => `${name}에게 편지`,
    how_many: "몇 개",
    drop: "내려놓기",
    eat: "하나 먹기",
    sell: (coins) => `개당 ${coins}에 팔기`,
    build: "여기에 놓기",
    market: "장터와 공방",
    buy: (goods, coins) => `${goods} 사기 (개당 ${coins})`,
    craft: (goods, costs) => `${goods} 만들기: ${costs}`,
    chest: "상자",
    in_chest: "상자 안",
    in_bag: "내 배낭",
    put_in: (what) => `${what} 넣기`,
    take_out: (what) => `${what} 꺼내기`,
    take_up: "상자 거두기",
    all: "모두",
    offer: "거래 제안",
    i_give: "내가 주는 것",
    i_want: "내가 받을 것",
    give_up_to: (what) => `${what} 중`,
    coins_field: "냥",
    offer_it: "제안하기",
    send: "편지 보내기",
    text_field: "편지 내용",
    send_it: "보내기",
    inbox: "편지와 제안",
    inbox_new: (n) => (n === 0 ? "편지와 제안" : `편지와 제안: ${n}건`),
    inbox_empty: "기다리는 것이 없습니다.",
    offer_from: (name) => `${name}의 거래 제안`,
    mail_from: (name) => `${name}의 편지`,
    holds_things: "물건이 들어 있음",
    own_offers: "내가 한 제안",
    own_offer_to: (name) => `${name}에게`,
    gives: (name) => `${name}이(가) 주는 것`,
    wants: (name) => `${name}이(가) 원하는 것`,
    you_give: "내가 주는 것",
    you_get: "내가 받는 것",
    accept: "받아들이기",
    refuse: "거절하기",
    withdraw: "거두기",
    take_mail: "받기",
    throw_away: "버리기",
    loading: "잠시만요…",
    gained: (what) => `+ ${what}`,
    in_mail: "배낭이 가득 차서 편지로 보냈습니다.",
  },
  codes: {
    FINE: "완료되었습니다.",
    MALFORMED: "읽을 수 없는 데이터가 전송되었습니다.",
    TOO_LARGE: "허용된 길이를 넘었습니다.",
    UNKNOWN_MESSAGE: "서버가 모르는 요청입니다.",
    TOO_FAST: "요청이 너무 많습니다. 잠시 천천히 해 주세요.",
    TOO_SLOW: "연결이 너무 느립니다.",
    SILENT: "오랫동안 응답이 없어 연결을 끊었습니다.",
    PROTOCOL: "게임을 업데이트해 주세요.",
    BAD_TICKET: "이곳에서 쓸 수 없는 입장권입니다. 다시 접속해 주세요.",
    REPLACED: "다른 곳에서 접속하여 연결을 끊었습니다.",
    SERVER_STOPS: "서버가 멈추는 중입니다. 잠시 후 다시 접속해 주세요.",
    FULL: "지금은 자리가 없습니다.",
    RETRY_AFTER: "지금은 할 수 없습니다. 잠시 후 다시 시도해 주세요.",
    CONFLICT: "다른 사람이 먼저 바꾸었습니다.",
    NOT_FOUND: "더 이상 존재하지 않습니다.",
    REFUSED: "여기서는 할 수 없습니다.",
    LEFT: "안녕히 가세요.",
    CLOSED: "지금은 이용할 수 없습니다.",
    UNREADABLE: "지금은 소지품을 읽을 수 없습니다. 확인하고 있습니다.",
    TOO_FAR: "너무 멀리 있습니다.",
    NO_ROOM: "넣을 공간이 없습니다.",
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
