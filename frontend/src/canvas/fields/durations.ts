/** Durations as the document has them: "90s", "10m", "1h", or seconds. The server's `domain/durations.py`. */
const PATTERN = /^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?\s*$/;
const UNITS: Record<string, number> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400 };

/** Seconds; null when it is no duration. */
export function secondsOf(duration: string | number): number | null {
  if (typeof duration === "number") return duration;
  const match = PATTERN.exec(duration);
  return match ? Number(match[1]) * (UNITS[match[2] ?? "s"] ?? 1) : null;
}
