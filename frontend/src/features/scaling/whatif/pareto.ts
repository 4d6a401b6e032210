/** The trade-off of waits against agents' time, as points in a picture. */
import type { Verdict } from "@/api/types";

export interface Dot {
  policy: string;
  /** Agent-hours. */
  hours: number;
  /** Share of arrivals that waited longer than was good enough, 0 to 1. */
  late: number;
  /** No other policy is better in both. */
  best: boolean;
}

/** Better in one and no worse in the other; what costs and keeps the same is as good. */
function beats(one: Dot, other: Dot): boolean {
  const noWorse = one.hours <= other.hours && one.late <= other.late;
  return noWorse && (one.hours < other.hours || one.late < other.late);
}

export function dotsOf(results: Verdict[]): Dot[] {
  const dots = results.map(({ policy, agent_seconds, slo_attainment }) => ({
    policy,
    hours: agent_seconds / 3600,
    late: 1 - slo_attainment,
    best: true,
  }));
  return dots.map((dot) => ({ ...dot, best: !dots.some((other) => beats(other, dot)) }));
}

/** Below a hundredth of a per cent all are the same: as good as never late. */
const FLOOR = 0.0001;

export interface Frame {
  width: number;
  height: number;
  left: number;
  bottom: number;
  top: number;
  right: number;
}

export interface Placed extends Dot {
  x: number;
  y: number;
  labelY: number;
  /** On which side of the dot its name stands. */
  side: "left" | "right";
}

export interface Picture {
  dots: Placed[];
  /** Steps of the axes: where, and what stands there. */
  hours: { at: number; text: string }[];
  lates: { at: number; text: string }[];
}

const LABEL = 16;

/** Lower left is better: few agent-hours, few late. Lateness on a scale of decades. */
export function placed(dots: Dot[], frame: Frame): Picture {
  const most = Math.max(...dots.map(({ hours }) => hours), 0.01) * 1.18;
  const decades = decadesOf(dots);
  const inner = {
    width: frame.width - frame.left - frame.right,
    height: frame.height - frame.top - frame.bottom,
  };
  const x = (hours: number) => frame.left + (hours / most) * inner.width;
  const top = Math.log10(decades.at(-1) ?? 1);
  const low = Math.log10(decades[0] ?? FLOOR);
  const y = (late: number) =>
    frame.top + ((top - Math.log10(Math.max(late, FLOOR))) / Math.max(1e-9, top - low)) * inner.height;
  const found = dots.map((dot): Placed => {
    const at = { x: x(dot.hours), y: y(dot.late) };
    return { ...dot, ...at, labelY: at.y, side: "right" };
  });
  for (const dot of found) if (found.some((other) => covers(other, dot))) dot.side = "left";
  spread(found);
  const step = niceStep(most / 5);
  const hours = Array.from({ length: Math.floor(most / step) + 1 }, (_, index) => index * step);
  return {
    dots: found,
    hours: hours.map((value) => ({ at: x(value), text: String(Number(value.toPrecision(6))) })),
    lates: decades.map((value) => ({
      at: y(value),
      text: value <= FLOOR ? "never" : `${Number((value * 100).toPrecision(3))} %`,
    })),
  };
}

/** From the one at or below the least to the one at or above the most, two at least. */
function decadesOf(dots: Dot[]): number[] {
  const lates = dots.map(({ late }) => Math.max(late, FLOOR));
  const low = Math.floor(Math.log10(Math.min(...lates)) + 1e-9);
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...lates)) - 1e-9));
  return Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index));
}

function niceStep(rough: number): number {
  const decade = 10 ** Math.floor(Math.log10(rough));
  return decade * ([1, 2, 5, 10].find((factor) => factor * decade >= rough) ?? 10);
}

/** Whether the other dot lies where this one's name would stand. */
function covers(other: Placed, dot: Placed): boolean {
  const right = other.x - dot.x;
  return right > 4 && right < 96 && Math.abs(other.y - dot.y) < LABEL / 2;
}

/** Names of neighbours stand below each other, not over each other. */
function spread(dots: Placed[]): void {
  const inOrder = [...dots].sort((a, b) => a.y - b.y);
  for (const [index, dot] of inOrder.entries()) {
    for (const above of inOrder.slice(0, index)) {
      const near = above.side === dot.side && Math.abs(above.x - dot.x) < 96;
      if (near && dot.labelY < above.labelY + LABEL) dot.labelY = above.labelY + LABEL;
    }
  }
}
