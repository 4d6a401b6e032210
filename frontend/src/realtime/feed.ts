/**
 * A websocket that comes back: it reconnects with the place where it left off, waits longer after each failure,
 * and tries at once when the network or the tab is back.
 * Does not: know what the messages mean.
 */
import type { FeedState } from "./status";

const FIRST_WAIT = 400;
const LONGEST_WAIT = 10_000;
/** Close codes after which another attempt would be answered the same. */
const FINAL_CODES = new Set([4400, 4401, 4404]);

export interface FeedOptions {
  /** The address to connect to now; called before every attempt, so that it can hold the last `seq`. */
  url: () => string;
  onMessage: (message: unknown) => void;
  onState: (state: FeedState, code?: number) => void;
  random?: () => number;
  open?: (url: string) => WebSocket;
}

/** Milliseconds before attempt `failures + 1`, with full jitter on the upper half. */
export function backoff(failures: number, random: number): number {
  const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** Math.min(failures, 10));
  return wait / 2 + (wait / 2) * random;
}

/** Opens the feed; the result closes it for good. */
export function openFeed(options: FeedOptions): () => void {
  const random = options.random ?? Math.random;
  const open = options.open ?? ((url: string) => new WebSocket(url));
  let socket: WebSocket | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let failures = 0;
  let ended = false;

  const connect = () => {
    clearTimeout(timer);
    options.onState("connecting");
    const current = open(options.url());
    socket = current;
    current.onopen = () => {
      if (socket === current) options.onState("live");
    };
    current.onmessage = (event) => {
      failures = 0;
      options.onMessage(JSON.parse(String(event.data)));
    };
    current.onclose = (event) => {
      if (ended || socket !== current) return;
      socket = null;
      if (FINAL_CODES.has(event.code)) {
        ended = true;
        options.onState("closed", event.code);
        return;
      }
      options.onState("waiting");
      timer = setTimeout(connect, backoff(failures, random()));
      failures += 1;
    };
  };

  const hurry = () => {
    if (!ended && socket === null && document.visibilityState !== "hidden") connect();
  };

  window.addEventListener("online", hurry);
  document.addEventListener("visibilitychange", hurry);
  connect();
  return () => {
    ended = true;
    clearTimeout(timer);
    window.removeEventListener("online", hurry);
    document.removeEventListener("visibilitychange", hurry);
    socket?.close();
    socket = null;
  };
}

/** `ws://host/ws/…` for a path, with its query. */
export function socketUrl(path: string, params: Record<string, string | number | null>): string {
  const url = new URL(path, window.location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  for (const [name, value] of Object.entries(params)) {
    if (value !== null && value !== "") url.searchParams.set(name, String(value));
  }
  return url.toString();
}
