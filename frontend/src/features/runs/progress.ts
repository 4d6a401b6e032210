import type { Step } from "@/api/types";
import { isObject } from "@/canvas/json";
import { count } from "@/format";

/** How far a step says it is. `share` is 0 to 1 where it told one. */
export interface Progress {
  share: number | null;
  message: string | null;
  figures: [string, string][];
}

const RESERVED = new Set(["value", "message", "run", "phase"]);

/** What the step's body told by `emit_progress`; null when it told nothing that people read. */
export function progressOf(step: Pick<Step, "progress" | "type">): Progress | null {
  const { progress } = step;
  if (typeof progress === "number") return { share: within(progress), message: null, figures: [] };
  if (typeof progress === "string") return { share: null, message: progress, figures: [] };
  if (!isObject(progress)) return null;
  const told: Progress = {
    share: typeof progress.value === "number" ? within(progress.value) : null,
    message: typeof progress.message === "string" ? progress.message : null,
    figures: Object.entries(progress)
      .filter(([name]) => !RESERVED.has(name))
      .map(([name, value]) => [name.replaceAll("_", " "), figure(value)]),
  };
  return told.share === null && told.message === null && told.figures.length === 0 ? null : told;
}

/** Whether a mapreduce has come to its second half. */
export function isReducing(step: Pick<Step, "progress" | "type">): boolean {
  return step.type === "mapreduce" && isObject(step.progress) && step.progress.phase === "reduce";
}

/** The run that a sub-workflow step started last; null for other steps. */
export function childRunOf(step: Pick<Step, "progress" | "type" | "child_run">): string | null {
  if (step.type !== "workflow") return null;
  if (step.child_run) return step.child_run;
  return isObject(step.progress) && typeof step.progress.run === "string" ? step.progress.run : null;
}

function within(share: number): number {
  return Math.min(1, Math.max(0, share));
}

function figure(value: unknown): string {
  if (typeof value === "number")
    return Number.isInteger(value) ? count(value) : String(Number(value.toPrecision(5)));
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "");
}
