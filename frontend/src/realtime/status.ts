/** Which feeds are open and how they fare: one small external store for the live mark in the top bar. */
export type FeedState = "connecting" | "live" | "waiting" | "closed";

const feeds = new Map<string, FeedState>();
const listeners = new Set<() => void>();

export function tellFeed(name: string, state: FeedState | null): void {
  if (state === null) feeds.delete(name);
  else feeds.set(name, state);
  for (const listener of listeners) listener();
}

export function onFeeds(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The worst of all: `closed` for good, `waiting` (for the next attempt), `connecting`, `live`. */
export function overall(): FeedState {
  const states = [...feeds.values()];
  if (states.includes("closed")) return "closed";
  if (states.includes("waiting")) return "waiting";
  return states.includes("connecting") || states.length === 0 ? "connecting" : "live";
}
