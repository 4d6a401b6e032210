import type { StateCreator } from "zustand";
import type { Fault } from "@/api/types";
import { allSteps, innerSteps, type Step } from "../document";
import type { DesignerState } from "./index";

/** What was typed into a JSON field and cannot be read yet; the document keeps its last value meanwhile. */
export interface Unreadable {
  text: string;
  fault: Fault;
}

export interface ProblemsSlice {
  /** What the server found in the document, in its order. */
  problems: Fault[];
  /** `stale`: the document has changed since it was checked; `unreachable`: it could not be checked. */
  checked: "fresh" | "stale" | "unreachable";
  /** By `STEP:FIELD`, so that it is still there when one comes back to the step. */
  unreadable: Record<string, Unreadable>;
  setProblems: (problems: Fault[]) => void;
  setUnreadable: (key: string, found: Unreadable | null) => void;
  setChecked: (checked: ProblemsSlice["checked"]) => void;
}

export const problemsSlice: StateCreator<DesignerState, [], [], ProblemsSlice> = (set, get) => ({
  problems: [],
  unreadable: {},
  checked: "stale",
  setProblems: (problems) => set({ problems, checked: "fresh" }),
  setUnreadable: (key, found) => {
    const { [key]: before, ...others } = get().unreadable;
    if (found) set({ unreadable: { ...others, [key]: found } });
    else if (before) set({ unreadable: others });
  },
  setChecked: (checked) => set({ checked }),
});

/** How many faults each step has; a loop has those of the steps inside it too. */
export function faultsByStep(problems: Fault[], steps: Step[] = []): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { step } of problems) {
    if (step) counts.set(step, (counts.get(step) ?? 0) + 1);
  }
  for (const loop of steps) {
    const within = [...allSteps(innerSteps(loop))].map(({ step }) => counts.get(step.id) ?? 0);
    const sum = within.reduce((all, one) => all + one, counts.get(loop.id) ?? 0);
    if (sum > 0) counts.set(loop.id, sum);
  }
  return counts;
}

/** The sentence about a field or a part of it; undefined when it is well. */
export function faultAt(problems: Fault[], path: string): string | undefined {
  return problems.find((fault) => isAt(fault.path, path))?.message;
}

function isAt(faulty: string, path: string): boolean {
  return faulty === path || faulty.startsWith(`${path}.`) || faulty.startsWith(`${path}[`);
}
