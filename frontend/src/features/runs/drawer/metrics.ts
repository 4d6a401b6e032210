import type { LogLine } from "@/api/types";
import { isObject } from "@/canvas/json";

/** A figure that a step's body measured. */
export interface Metric {
  name: string;
  value: number;
}

/** What a line of the stream `metric` tells; null when it is no figure. */
export function metricOf(line: Pick<LogLine, "stream" | "text">): Metric | null {
  if (line.stream !== "metric") return null;
  try {
    const told: unknown = JSON.parse(line.text);
    if (isObject(told) && typeof told.name === "string" && typeof told.value === "number") {
      return { name: told.name, value: told.value };
    }
  } catch {
    return null;
  }
  return null;
}

export interface MetricSummary {
  step: string;
  name: string;
  count: number;
  last: number;
  mean: number;
}

/** One figure per step and name, in the order in which they were first told. */
export function summarize(lines: LogLine[]): MetricSummary[] {
  const found = new Map<string, MetricSummary>();
  for (const line of lines) {
    const metric = metricOf(line);
    if (!metric) continue;
    const key = `${line.step} ${metric.name}`;
    const before = found.get(key) ?? { step: line.step, name: metric.name, count: 0, last: 0, mean: 0 };
    const count = before.count + 1;
    const mean = before.mean + (metric.value - before.mean) / count;
    found.set(key, { ...before, count, mean, last: metric.value });
  }
  return [...found.values()];
}
