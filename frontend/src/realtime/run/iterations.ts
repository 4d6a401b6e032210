/**
 * Which steps of loops the page keeps: those of the iteration that each loop is in, or ended with, as the server's
 * snapshot does. Keys are paths: "refine.2.improve" is the step improve of the third iteration of refine.
 */
import type { Step } from "@/api/types";

export interface Place {
  /** The loop's own key. */
  loop: string;
  /** From 0. */
  iteration: number;
  /** The step's id inside the loop. */
  own: string;
}

/** Where a step of a loop stands; null for a step of the workflow itself. */
export function placeOf(key: string): Place | null {
  const found = /^(.+)\.(\d+)\.([^.]+)$/.exec(key);
  return found ? { loop: found[1] as string, iteration: Number(found[2]), own: found[3] as string } : null;
}

/** The iteration that a loop is in, or ended with, from 0. */
export function iterationOf(loop: Step): number {
  const { completed } = loop.counts;
  return ["queued", "running", "waiting"].includes(loop.state) ? completed : Math.max(completed - 1, 0);
}

/**
 * `steps` with a step of a loop in it. The first news of an iteration takes the place of the iteration before:
 * its other steps are pending until they are heard of.
 */
export function withInner(steps: Step[], step: Step): Step[] {
  const place = placeOf(step.id);
  if (!place) return steps;
  const siblings = steps.filter((one) => placeOf(one.id)?.loop === place.loop);
  const newest = Math.max(-1, ...siblings.map((one) => placeOf(one.id)?.iteration ?? -1));
  if (place.iteration < newest) return steps;
  if (place.iteration > newest && siblings.length > 0) {
    const prefix = `${place.loop}.`;
    const kept = steps.filter((one) => !one.id.startsWith(prefix) || siblings.includes(one));
    return kept.map((one) => (siblings.includes(one) ? renewed(one, place, step) : one));
  }
  const before = steps.findLastIndex((one) => one.id === place.loop || one.id.startsWith(`${place.loop}.`));
  return before < 0 ? [...steps, step] : [...steps.slice(0, before + 1), step, ...steps.slice(before + 1)];
}

/** A step of the iteration before, as it stands in the next one. */
function renewed(old: Step, { loop, iteration, own }: Place, news: Step): Step {
  const name = placeOf(old.id)?.own ?? "";
  if (name === own) return news;
  return {
    ...old,
    id: `${loop}.${iteration}.${name}`,
    state: "pending",
    attempts: 0,
    error: null,
    counts: { total: 0, completed: 0, failed: 0, running: 0 },
    started_at: null,
    finished_at: null,
    duration_ms: null,
    reason: null,
    retry_at: null,
    due_at: null,
    progress: null,
    input: undefined,
    output: undefined,
    agent: null,
  };
}
