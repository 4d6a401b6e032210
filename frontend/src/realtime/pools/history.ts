/** The last minutes of each pool's figures, as the feed told them: what the sparklines draw. */
import type { Pool } from "@/api/types";

export const WINDOW_MS = 5 * 60_000;

/** One moment of a pool; `at` is Unix milliseconds, `utilization` 0 to 1. */
export interface Sample {
  at: number;
  utilization: number;
  active: number;
  size: number;
  waiting: number;
  leases: number;
  target: number;
}

const KEY = "af-pool-history";
const KEEP_EVERY = 2000;

let samples = kept();
let keptAt = 0;

export function noteUtilization(pools: Pool[], now: number): void {
  for (const pool of pools) {
    const fresh = (samples.get(pool.name) ?? []).filter((sample) => sample.at >= now - WINDOW_MS);
    const { idle, active, starting } = pool.states;
    fresh.push({
      at: now,
      utilization: pool.utilization,
      active,
      size: idle + active + starting,
      waiting: pool.waiting,
      leases: pool.leases,
      target: pool.target_size,
    });
    samples.set(pool.name, fresh);
  }
  if (now - keptAt >= KEEP_EVERY) keep(now);
}

export function samplesOf(name: string): Sample[] {
  return samples.get(name) ?? [];
}

/** Since when the figures are known, as Unix milliseconds; null while nothing is. */
export function knownSince(name: string): number | null {
  return samples.get(name)?.[0]?.at ?? null;
}

/** What this tab saw before it was loaded anew: the line goes on where it was. */
function kept(): Map<string, Sample[]> {
  try {
    const stored: unknown = JSON.parse(sessionStorage.getItem(KEY) ?? "[]");
    const oldest = Date.now() - WINDOW_MS;
    const entries = (stored as [string, Sample[]][]).map(
      ([name, list]) => [name, list.filter(({ at }) => at >= oldest)] as [string, Sample[]],
    );
    return new Map(entries.filter(([, list]) => list.length > 0));
  } catch {
    return new Map();
  }
}

function keep(now: number): void {
  keptAt = now;
  try {
    sessionStorage.setItem(KEY, JSON.stringify([...samples]));
  } catch {
    // No room, or not allowed: then the line begins with the page.
  }
}

/** As if the page had been loaded anew. */
export function reloadHistory(): void {
  samples = kept();
}
