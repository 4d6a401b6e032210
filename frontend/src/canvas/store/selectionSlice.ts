import type { StateCreator } from "zustand";
import type { DesignerState } from "./index";

export interface SelectionSlice {
  /** Ids of steps; the inspector shows a step when it is the only one. */
  selected: string[];
  selectedEdges: string[];
  /** The field that the inspector should bring into view, as a path such as `steps[1].run.code`. */
  wantedField: string | null;
  select: (steps: string[], edges?: string[]) => void;
  wantField: (path: string | null) => void;
}

export const selectionSlice: StateCreator<DesignerState, [], [], SelectionSlice> = (set, get) => ({
  selected: [],
  selectedEdges: [],
  wantedField: null,
  select: (steps, edges = []) => {
    const { selected, selectedEdges } = get();
    if (sameList(selected, steps) && sameList(selectedEdges, edges)) return;
    set({ selected: steps, selectedEdges: edges, wantedField: null });
  },
  wantField: (path) => set({ wantedField: path }),
});

function sameList(one: string[], other: string[]): boolean {
  return one.length === other.length && one.every((id, place) => id === other[place]);
}
