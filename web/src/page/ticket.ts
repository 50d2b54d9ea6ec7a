// The guest ticket in the browser's storage: it brings the same avatar back after a reload.

import type { TicketBox } from "../sea/play";
import { readStored, writeStored } from "./texts";

const TICKET_KEY = "seom.ticket";
const INSIDE_KEY = "seom.inside"; // "1": was playing when last seen, so go in again at once
const TICKET_BYTES_MAX = 64;

export function ticketText(ticket: Uint8Array): string {
  return Array.from(ticket, (b) => b.toString(16).padStart(2, "0")).join("");
}

export function ticketBytes(text: string | null): Uint8Array | undefined {
  if (text === null || text === "" || text.length > 2 * TICKET_BYTES_MAX || !/^([0-9a-f]{2})+$/.test(text)) return undefined;
  return Uint8Array.from(text.match(/../g)!, (pair) => parseInt(pair, 16));
}

export const tickets: TicketBox = {
  read: () => ticketBytes(readStored(TICKET_KEY)),
  keep: (ticket) => writeStored(TICKET_KEY, ticketText(ticket)),
  forget: () => writeStored(TICKET_KEY, null),
};

export function wasInside(): boolean {
  return readStored(INSIDE_KEY) === "1";
}

export function setInside(inside: boolean): void {
  writeStored(INSIDE_KEY, inside ? "1" : null);
}
