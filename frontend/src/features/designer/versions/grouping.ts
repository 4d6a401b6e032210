/** A list of changes as people read it: by step. Pure. */
import type { Change, Diff } from "@/api/versions";

export interface Group {
  /** Null for what belongs to the workflow itself. */
  step: string | null;
  kind: Change["kind"];
  changes: { field: string; change: Change }[];
}

const STEP = /^steps\[([^\]]*)\](?:\.steps\[([^\]]*)\])*/;

/** Where a change is: the innermost step, and the field of it. */
export function placeOfChange(path: string): { step: string | null; field: string } {
  const found = STEP.exec(path);
  if (!found) return { step: null, field: path };
  const ids = [...found[0].matchAll(/steps\[([^\]]*)\]/g)].map((match) => match[1] ?? "");
  return { step: ids.at(-1) ?? null, field: path.slice(found[0].length).replace(/^\./, "") };
}

/** Places on the canvas say nothing about what a workflow does: they are told last, as one. */
const isPlace = (path: string) => path === "layout" || path.startsWith("layout.");

export function grouped(diff: Diff): { groups: Group[]; moved: boolean } {
  const groups = new Map<string | null, Group>();
  const told = diff.changes.filter(({ path }) => !isPlace(path));
  for (const change of told) {
    const { step, field } = placeOfChange(change.path);
    const group = groups.get(step) ?? { step, kind: "changed", changes: [] };
    groups.set(step, group);
    if (field === "" && change.kind !== "changed") group.kind = change.kind;
    group.changes.push({ field, change });
  }
  return { groups: [...groups.values()], moved: told.length < diff.changes.length };
}
