// Reading JSON that somebody else wrote: whatever is not as expected becomes nothing.

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function readNumber(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
}

export function readText(value: unknown): string {
  return typeof value === "string" ? value : "";
}
