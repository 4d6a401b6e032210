import type { StateCreator } from "zustand";
import { findStep } from "../document";
import { inside, type Scope, scopeOf } from "../scope";
import type { DesignerState } from "./index";

export interface SelectionSlice {
  /** The loops that one went into; the canvas shows what is inside the last one. */
  scope: Scope;
  /** Ids of steps of the open graph; the inspector shows a step when it is the only one. */
  selected: string[];
  selectedEdges: string[];
  /** The field that the inspector should bring into view, as a path such as `steps[1].run.code`. */
  wantedField: string | null;
  select: (steps: string[], edges?: string[]) => void;
  /** Opens a graph: `[]` for the document's own steps. */
  enter: (scope: Scope) => void;
  /** Opens the graph that a step stands in, and selects it; false when there is no such step. */
  reveal: (step: string) => boolean;
  wantField: (path: string | null) => void;
}

export const selectionSlice: StateCreator<DesignerState, [], [], SelectionSlice> = (set, get) => ({
  scope: [],
  selected: [],
  selectedEdges: [],
  wantedField: null,
  select: (steps, edges = []) => {
    const { selected, selectedEdges } = get();
    if (sameList(selected, steps) && sameList(selectedEdges, edges)) return;
    set({ selected: steps, selectedEdges: edges, wantedField: null });
  },
  enter: (scope) => {
    const { scope: before } = get();
    if (sameList(before, scope)) return;
    // Coming out of a loop leaves it selected: one sees where one was.
    const left = before.length > scope.length ? before[scope.length] : undefined;
    set({ scope, selected: left ? [left] : [], selectedEdges: [], wantedField: null });
  },
  reveal: (step) => {
    const scope = scopeOf(get().document, step);
    if (!scope) return false;
    get().enter(scope);
    get().select([step]);
    return true;
  },
  wantField: (path) => set({ wantedField: path }),
});

/** The graph that the canvas shows, as a document. */
export function openGraph({ document, scope }: DesignerState) {
  return inside(document, scope);
}

/** The loop that one is inside of; undefined on the document's own graph. */
export function openLoop({ document, scope }: DesignerState) {
  return findStep(document, scope.at(-1));
}

function sameList(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((id, place) => id === other[place]);
}
