import { useComputedColorScheme } from "@mantine/core";
import { useEffect, useLayoutEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import classes from "./TimeChart.module.css";

export type Colour = "accent" | "green" | "amber" | "violet" | "red" | "slate" | "faint";

export interface Line {
  name: string;
  colour: Colour;
  /** `step`: holds until the next point; `filled`: the same, and the ground below it is tinted. */
  look: "step" | "filled" | "line";
  dashed?: boolean;
}

/** Something that happened: a triangle that points to where it went. */
export interface Mark {
  id: number;
  /** Seconds since the epoch. */
  at: number;
  value: number;
  up: boolean;
  chosen: boolean;
}

interface Props {
  lines: Line[];
  /** Seconds since the epoch, rising, then the values of each line; null where there is none. */
  data: (number | null)[][];
  /** What is seen, in seconds since the epoch; asked again at every drawing, so that it can move. */
  range: () => [number, number];
  /** What the chart shows, in a sentence, for those who do not see it. */
  label: string;
  height: number;
  format?: (value: number) => string;
  marks?: Mark[];
  onPick?: (id: number) => void;
}

const REDRAW_MS = 1000;
const REACH = 14; // px around a mark in which a click is meant for it
const SIZE = 5;

/** Lines over one time axis, whose values follow the pointer. It draws on as time goes on. */
export function TimeChart(props: Props) {
  const box = useRef<HTMLElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  const scheme = useComputedColorScheme("light");
  const shape = JSON.stringify(props.lines);
  useLayoutEffect(() => {
    latest.current = props;
  });
  useEffect(() => {
    const place = box.current;
    if (!place) return;
    const made = new uPlot(optionsFor(place, latest), aligned(latest.current.data), place);
    plot.current = made;
    const resized = new ResizeObserver(() =>
      made.setSize({ width: place.clientWidth, height: latest.current.height }),
    );
    resized.observe(place);
    const timer = setInterval(() => made.setData(aligned(latest.current.data)), REDRAW_MS);
    return () => {
      clearInterval(timer);
      resized.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape, scheme]);
  useEffect(() => {
    plot.current?.setData(aligned(props.data));
  }, [props.data, props.marks]);
  return (
    <figure
      ref={box}
      className={classes.chart}
      role="img"
      aria-label={props.label}
      data-picks={props.onPick ? true : undefined}
    />
  );
}

const aligned = (data: Props["data"]) => data as unknown as uPlot.AlignedData;

type Latest = { readonly current: Props };

function optionsFor(place: Element, latest: Latest): uPlot.Options {
  const style = getComputedStyle(place);
  const colour = (name: string) => style.getPropertyValue(`--af-${name}`).trim() || "#888";
  const { lines, height, format = String } = latest.current;
  const axis: uPlot.Axis = {
    stroke: colour("muted"),
    font: `11px ${style.fontFamily}`,
    grid: { stroke: colour("border"), width: 1 },
    ticks: { show: false },
  };
  return {
    width: place.clientWidth,
    height,
    padding: [8, 16, 0, 0],
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
    legend: { live: true, markers: { width: 2 } },
    scales: {
      x: { time: true, range: () => latest.current.range() },
      y: { range: (_, _low, high) => [0, topOf(high, format)] },
    },
    axes: [
      { ...axis, gap: 4, size: 24, values: (_, splits) => timesOf(splits), space: 64 },
      {
        ...axis,
        gap: 4,
        size: format === String ? 44 : 64,
        values: (_, splits) => splits.map((value) => wholeOnly(value, format)),
      },
    ],
    series: [
      { label: "at", value: (u, at) => (at == null ? "" : momentOf(at, u.scales.x)) },
      ...lines.map((line) => seriesOf(line, colour(line.colour), format)),
    ],
    hooks: {
      setData: [tellLast],
      setCursor: [tellLast],
      draw: [(u) => drawMarks(u, latest.current.marks ?? [], colour)],
      ready: [(u) => u.over.addEventListener("click", () => pick(u, latest.current))],
    },
  };
}

function seriesOf({ name, look, dashed }: Line, colour: string, format: (value: number) => string) {
  const series: uPlot.Series = {
    label: name,
    stroke: colour,
    width: look === "filled" ? 1 : 1.5,
    points: { show: false },
    value: (_, value) => (value == null ? "–" : format(value)),
  };
  if (look !== "line") series.paths = uPlot.paths.stepped?.({ align: 1 });
  if (look === "filled") series.fill = `${colour}22`;
  if (dashed) series.dash = [5, 4];
  return series;
}

const two = (value: number) => String(value).padStart(2, "0");

function timeOf(at: number): string {
  const time = new Date(at * 1000);
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
}

const DAYS = 2 * 86_400; // seconds from which on a time of day alone says too little

function momentOf(at: number, { min, max }: uPlot.Scale = {}): string {
  if ((max ?? 0) - (min ?? 0) <= DAYS) return timeOf(at);
  const day = new Date(at * 1000).toLocaleDateString("en", { day: "numeric", month: "short" });
  return `${day}, ${timeOf(at).slice(0, 5)}`;
}

/** Times of day; days, where the axis spans several. */
function timesOf(splits: number[]): string[] {
  const days = (splits.at(-1) ?? 0) - (splits[0] ?? 0) > DAYS;
  return splits.map((at) => {
    const time = new Date(at * 1000);
    if (days) return time.toLocaleDateString("en", { day: "numeric", month: "short" });
    return `${two(time.getHours())}:${two(time.getMinutes())}`;
  });
}

/** A little above the highest; of things that are counted, one at least. */
function topOf(high: number | null, format: (value: number) => string): number {
  const top = (high ?? 0) * 1.12;
  return format === String ? Math.max(1, top) : top || 1;
}

/** Agents do not come in halves: what lies between two whole numbers has no name on the axis. */
function wholeOnly(value: number, format: (value: number) => string): string {
  return format === String && !Number.isInteger(value) ? "" : format(value);
}

/** Without a pointer on the chart, the legend tells the newest values of the first line. */
function tellLast(u: uPlot): void {
  const first = u.data[1] ?? [];
  let last = first.length - 1;
  while (last > 0 && first[last] == null) last -= 1;
  if (u.cursor.idx == null && last >= 0) u.setLegend({ idx: last }, false);
}

function drawMarks(u: uPlot, marks: Mark[], colour: (name: string) => string): void {
  const { ctx } = u;
  const size = SIZE * devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(u.bbox.left, u.bbox.top - size, u.bbox.width, u.bbox.height + 2 * size);
  ctx.clip();
  for (const { at, value, up, chosen } of marks) {
    const x = u.valToPos(at, "x", true);
    const y = u.valToPos(value, "y", true);
    const tip = up ? -size : size;
    ctx.beginPath();
    ctx.moveTo(x, y + tip);
    ctx.lineTo(x + size, y - tip * 0.7);
    ctx.lineTo(x - size, y - tip * 0.7);
    ctx.closePath();
    ctx.fillStyle = colour(up ? "green" : "amber");
    ctx.fill();
    if (!chosen) continue;
    ctx.beginPath();
    ctx.arc(x, y, size * 1.9, 0, 2 * Math.PI);
    ctx.strokeStyle = colour("accent");
    ctx.lineWidth = 2 * devicePixelRatio;
    ctx.stroke();
  }
  ctx.restore();
}

function pick(u: uPlot, { marks = [], onPick }: Props): void {
  const { left, top } = u.cursor;
  if (!onPick || left == null || top == null) return;
  const away = ({ at, value }: Mark) =>
    Math.hypot(u.valToPos(at, "x") - left, (u.valToPos(value, "y") - top) / 2);
  const nearest = marks.reduce<Mark | null>(
    (best, mark) => (best === null || away(mark) < away(best) ? mark : best),
    null,
  );
  if (nearest && away(nearest) <= REACH) onPick(nearest.id);
}
