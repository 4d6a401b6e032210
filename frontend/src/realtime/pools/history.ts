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
}

const samples = new Map<string, Sample[]>();

export function noteUtilization(pools: Pool[], now: number): void {
  for (const pool of pools) {
    const kept = (samples.get(pool.name) ?? []).filter((sample) => sample.at >= now - WINDOW_MS);
    const { idle, active, starting } = pool.states;
    kept.push({
      at: now,
      utilization: pool.utilization,
      active,
      size: idle + active + starting,
      waiting: pool.waiting,
    });
    samples.set(pool.name, kept);
  }
}

export function samplesOf(name: string): Sample[] {
  return samples.get(name) ?? [];
}
