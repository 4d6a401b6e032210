/** What the server's presets set (`pools/domain/settings.py`): how soon agents are replaced. */
import { type Amount, type Draft } from "./draft";

type PresetValues = Record<
  "idle_timeout" | "max_uses" | "max_age" | "memory_threshold" | "error_threshold",
  number
>;

export const PRESETS: Record<string, PresetValues> = {
  aggressive: {
    idle_timeout: 60,
    max_uses: 50,
    max_age: 3600,
    memory_threshold: 0.8,
    error_threshold: 3,
  },
  balanced: {
    idle_timeout: 300,
    max_uses: 100,
    max_age: 4 * 3600,
    memory_threshold: 0.9,
    error_threshold: 5,
  },
  performance: {
    idle_timeout: 1800,
    max_uses: 500,
    max_age: 24 * 3600,
    memory_threshold: 0.95,
    error_threshold: 10,
  },
};

export const CUSTOM = "custom";

/** The preset whose values the draft has; "custom" when they are no preset's. */
export function presetOf(draft: Draft): string {
  const has = ([name, value]: [string, Amount]) =>
    draft[name as keyof PresetValues] !== "" && Number(draft[name as keyof PresetValues]) === value;
  const found = Object.entries(PRESETS).find(([, values]) => Object.entries(values).every(has));
  return found?.[0] ?? CUSTOM;
}
