import { useQuery } from "@tanstack/react-query";
import type { Run } from "@/api/types";
import { versionDetail } from "@/api/workflows";
import { isObject } from "@/canvas/json";
import { placeOf } from "@/realtime/run/iterations";

/** A step as the run's document has it; kept loose, since each type has fields of its own. */
export type Definition = Record<string, unknown> & { id: string };

/** The steps of the document that the run goes by, those inside loops by their path: "refine.improve". */
export function useDefinitions(run: Run | undefined): Map<string, Definition> {
  const saved = useQuery({
    ...versionDetail(run?.workflow ?? "", run?.version ?? 0),
    enabled: run !== undefined && !run.document,
    // A workflow that was deleted since: the steps know enough to be drawn.
    retry: false,
  }).data?.document;
  return definitionsIn(run?.document ?? saved);
}

export function definitionsIn(document: unknown): Map<string, Definition> {
  const found = new Map<string, Definition>();
  const walk = (steps: unknown, prefix: string) => {
    if (!Array.isArray(steps)) return;
    for (const step of steps) {
      if (!isObject(step) || typeof step.id !== "string") continue;
      found.set(prefix + step.id, step as Definition);
      walk(step.steps, `${prefix}${step.id}.`);
    }
  };
  walk(isObject(document) ? document.steps : undefined, "");
  return found;
}

/** "refine.2.improve" stands as "refine.improve" in the document. */
export function pathOf(key: string): string {
  const place = placeOf(key);
  return place ? `${pathOf(place.loop)}.${place.own}` : key;
}
