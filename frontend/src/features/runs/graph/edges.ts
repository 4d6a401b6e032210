/** The run's edges: who waited for whom, which ways a branch took, and which step undoes which. Pure. */
import type { Step } from "@/api/types";
import type { Definition } from "../useDefinition";

/** `chosen` and `passed` are ways of a branch that has decided; `undo` leads to the step that undoes. */
export type Way = "plain" | "chosen" | "passed" | "undo";

export interface RunEdge {
  id: string;
  source: string;
  target: string;
  way: Way;
  /** Work has taken this way. */
  taken: boolean;
  /** Work flows there now. */
  flows: boolean;
}

export function edgesOf(steps: Step[], definitions: Map<string, Definition>): RunEdge[] {
  const known = new Map(steps.map((step) => [step.id, step]));
  const edges: RunEdge[] = [];
  for (const step of steps) {
    for (const need of new Set(step.needs)) {
      const source = known.get(need);
      if (source) edges.push(edgeBetween(source, step, definitions));
    }
    const undo = definitions.get(step.id)?.compensate;
    const target = typeof undo === "string" ? known.get(undo) : undefined;
    if (target) edges.push(undoEdge(step, target));
  }
  return edges;
}

const AT_WORK = new Set(["running", "waiting"]);

function edgeBetween(source: Step, target: Step, definitions: Map<string, Definition>): RunEdge {
  const done = source.state === "completed" || source.state === "compensated";
  const way = done && isWay(source, target, definitions) ? wayTo(target) : "plain";
  const taken = done && target.state !== "skipped";
  return {
    id: `${source.id}>${target.id}`,
    source: source.id,
    target: target.id,
    way,
    taken: taken && way !== "passed",
    // A streaming reduce takes results while its map still runs.
    flows: AT_WORK.has(target.state) && (taken || source.state === "running"),
  };
}

/** Whether the branch may choose the target, rather than the target only waiting for the branch. */
function isWay(source: Step, target: Step, definitions: Map<string, Definition>): boolean {
  if (source.type !== "branch") return false;
  const needs = definitions.get(target.id)?.needs;
  return !(Array.isArray(needs) && needs.includes(source.id));
}

/** `reason` is what the engine wrote down for a step that no branch chose. */
function wayTo(target: Step): Way {
  return target.state === "skipped" && target.reason === "branch" ? "passed" : "chosen";
}

function undoEdge(source: Step, target: Step): RunEdge {
  return {
    id: `${source.id}~${target.id}`,
    source: source.id,
    target: target.id,
    way: "undo",
    taken: target.state === "completed",
    flows: AT_WORK.has(target.state),
  };
}

/** What each step stands after, for a layout: its needs, and the step that it undoes. */
export function orderOf(steps: Step[], definitions: Map<string, Definition>): Map<string, string[]> {
  const order = new Map(steps.map((step) => [step.id, [...step.needs]]));
  for (const step of steps) {
    const undo = definitions.get(step.id)?.compensate;
    if (typeof undo === "string") order.get(undo)?.push(step.id);
  }
  return order;
}
