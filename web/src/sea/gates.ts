// The gates of a world, as addresses for WebSocket, and which of them is tried next: after a break another one, and those that
// a server names before those that the page began with.

export class Gates {
  private at: number;
  private urls: readonly string[];

  // `from` is what the page was told at its start; `seen` turns an address into a URL that works from this browser.
  constructor(private readonly from: readonly string[], private readonly seen: (address: string) => string, chance = Math.random()) {
    this.urls = from.map(seen);
    this.at = Math.floor(chance * this.urls.length); // so that not everybody takes the first
  }

  get url(): string {
    return this.urls[this.at] ?? "";
  }

  next(): void {
    if (this.urls.length > 0) this.at = (this.at + 1) % this.urls.length;
  }

  // Named on arrival: where one could go; this gate stays the one in use.
  named(addresses: readonly string[]): void {
    const now = this.url;
    if (!this.know(addresses)) return;
    const at = this.urls.indexOf(now);
    this.at = at < 0 ? 0 : at;
  }

  // Named at parting: where one should go now. False: nowhere in particular.
  sent(addresses: readonly string[]): boolean {
    if (!this.know(addresses)) return false;
    this.at = 0;
    return true;
  }

  private know(addresses: readonly string[]): boolean {
    if (addresses.length === 0) return false;
    this.urls = [...new Set([...addresses, ...this.from].map(this.seen))];
    return true;
  }
}
