// Where the player port is, as seen from this browser: /config.json names it as the server listens, which may be a
// loopback or "any" address that means something else over here.

const NOT_REACHABLE = /^(0\.0\.0\.0|\[::\]|::|127\.[\d.]+|localhost|\[::1\]|::1|)$/;

export function playUrl(play: string, page: { protocol: string; hostname: string }): string {
  const colon = play.lastIndexOf(":");
  const host = play.slice(0, Math.max(colon, 0));
  const port = play.slice(colon + 1);
  const seen = NOT_REACHABLE.test(host) ? page.hostname : host;
  return `${page.protocol === "https:" ? "wss" : "ws"}://${seen}:${port}/`;
}
