/** What a budget's chart draws: what is left of it, over its period. */
import type { Line } from "@/components/TimeChart";
import type { Burn } from "@/api/types";

export const LINES: Line[] = [
  { name: "left", colour: "accent", look: "line" },
  { name: "even pace", colour: "faint", look: "line", dashed: true },
  { name: "forecast", colour: "violet", look: "line", dashed: true },
];

const BIN = 900; // seconds

type Row = [at: number, left: number | null, even: number | null, forecast: number | null];

/** `now` in seconds since the epoch. What is left never shows below nothing. */
export function burnDown(burn: Burn, now: number): (number | null)[][] {
  const start = Date.parse(burn.starts_at) / 1000;
  const end = Date.parse(burn.ends_at) / 1000;
  const limit = Number(burn.limit);
  const left = (spent: string | undefined) => Math.max(0, limit - Number(spent ?? 0));
  const even = (at: number) => limit * (1 - (at - start) / (end - start));
  const here = Math.min(Math.max(now, start), end);
  const points = burn.points
    .map(({ at, spent }) => [Math.min(Date.parse(at) / 1000, here), left(spent)] as const)
    .filter(([at]) => at > start);
  const last = left(burn.points.at(-1)?.spent);
  const rows: Row[] = [[start, limit, limit, null]];
  const add = (at: number, value: number) => {
    // Quarters of an hour in which nothing was spent are left out: until the one before, nothing changed.
    const [then, before] = rows.at(-1) ?? [start, limit];
    if (at - then > BIN) rows.push([at - BIN, before, even(at - BIN), null]);
    if (at > then) rows.push([at, value, even(at), null]);
  };
  for (const [at, value] of points) if (at < here) add(at, value);
  add(here, last);
  rows.splice(-1, 1, [here, last, even(here), last]);
  const gone = goneAt(last, limit - Number(burn.forecast), here, end);
  if (gone !== null) rows.push([gone, null, even(gone), 0]);
  if (end > here) rows.push([end, null, 0, Math.max(0, limit - Number(burn.forecast))]);
  return [0, 1, 2, 3].map((column) => rows.map((row) => row[column] ?? null));
}

/** When nothing will be left, on the straight line to what the forecast leaves; null: not in this period. */
function goneAt(last: number, atEnd: number, now: number, end: number): number | null {
  if (atEnd >= 0 || last <= 0 || end <= now) return null;
  return now + ((end - now) * last) / (last - atEnd);
}

/** When the budget will be used up, in seconds since the epoch; null when it lasts. */
export function usedUpAt(burn: Burn, now: number): number | null {
  const last = Number(burn.limit) - Number(burn.points.at(-1)?.spent ?? 0);
  const end = Date.parse(burn.ends_at) / 1000;
  return goneAt(last, Number(burn.limit) - Number(burn.forecast), now, end);
}
