import { useSyncExternalStore } from "react";

/** One clock per pace for the whole page, so that a hundred rows tick in one rendering. */
class Clock {
  private readonly listeners = new Set<() => void>();
  private timer: ReturnType<typeof setInterval> | undefined;
  private now = Date.now();

  constructor(private readonly pace: number) {}

  subscribe = (listener: () => void) => {
    this.listeners.add(listener);
    this.now = Date.now();
    this.timer ??= setInterval(() => this.tick(), this.pace);
    return () => {
      this.listeners.delete(listener);
      if (this.listeners.size > 0) return;
      clearInterval(this.timer);
      this.timer = undefined;
    };
  };

  read = () => this.now;

  private tick() {
    this.now = Date.now();
    for (const listener of this.listeners) listener();
  }
}

const clocks = { fast: new Clock(100), slow: new Clock(1000) };
const still = () => () => undefined;

/** Now, in Unix milliseconds; `off` reads once and does not tick. */
export function useNow(pace: "fast" | "slow" | "off"): number {
  const clock = pace === "off" ? clocks.slow : clocks[pace];
  return useSyncExternalStore(pace === "off" ? still : clock.subscribe, clock.read);
}
