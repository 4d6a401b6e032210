/** What a pool's chart draws, out of its decisions and of what the live view told meanwhile. */
import type { Line, Mark } from "@/components/TimeChart";
import type { Decision } from "@/api/types";
import type { Sample } from "@/realtime/pools/history";

interface Point {
  /** Seconds since the epoch. */
  at: number;
  size: number;
  target: number;
  load: number;
  forecast: number | null;
  /** The size that a policy in shadow mode would choose. */
  shadow: number | null;
}

const FORECAST: Line = { name: "forecast", colour: "violet", look: "step", dashed: true };
const SHADOW: Line = { name: "target in shadow", colour: "amber", look: "step", dashed: true };
const ALWAYS: Line[] = [
  { name: "size", colour: "green", look: "filled" },
  { name: "target", colour: "accent", look: "step" },
  { name: "load", colour: "slate", look: "step" },
];

export interface Series {
  lines: Line[];
  data: (number | null)[][];
}

/** `decisions` from the oldest on, `samples` likewise; `from` and `now` in seconds since the epoch. */
export function seriesOf(decisions: Decision[], samples: Sample[], from: number, now: number): Series {
  const decided = decisions.map(pointOf);
  const sampled = samples.map((sample) => sampledPoint(sample));
  const points = [...decided, ...sampled].filter(({ at }) => at >= from).sort((a, b) => a.at - b.at);
  carry(points);
  const last = points.at(-1);
  if (last && last.at < now) points.push({ ...last, at: now });
  const names: (keyof Point)[] = ["at", "size", "target", "load"];
  const lines = [...ALWAYS];
  for (const [name, line] of [
    ["forecast", FORECAST],
    ["shadow", SHADOW],
  ] as const) {
    if (points.every((point) => point[name] === null)) continue;
    names.push(name);
    lines.push(line);
  }
  return { lines, data: names.map((name) => points.map((point) => point[name])) };
}

function pointOf({ signals, target_size, mode, at }: Decision): Point {
  const acts = mode === "act";
  return {
    at: Date.parse(at) / 1000,
    size: signals.ready + signals.starting,
    target: acts ? target_size : signals.target,
    load: signals.leased + signals.waiting,
    forecast: signals.forecast ? Math.round(signals.forecast.load * 10) / 10 : null,
    shadow: acts ? null : target_size,
  };
}

function sampledPoint({ at, size, target, leases, waiting }: Sample): Point {
  return { at: at / 1000, size, target, load: leases + waiting, forecast: null, shadow: null };
}

/** What only decisions know holds until the next of them. */
function carry(points: Point[]): void {
  for (const [index, point] of points.entries()) {
    const before = points[index - 1];
    if (!before) continue;
    point.forecast ??= before.forecast;
    point.shadow ??= before.shadow;
  }
}

/** The changes, where the target line has its steps. */
export function marksOf(decisions: Decision[], chosen: number | undefined): Mark[] {
  return decisions
    .filter(({ action, id }) => action !== "hold" || id === chosen)
    .map(({ id, at, action, target_size }) => ({
      id,
      at: Date.parse(at) / 1000,
      value: target_size,
      up: action !== "scale_down",
      chosen: id === chosen,
    }));
}
