import { IconHierarchy2, IconMaximize } from "@tabler/icons-react";
import { applyGraphChange } from "../graph";
import { layOut } from "../layout";
import { openGraph } from "../store";
import type { Action } from "./index";

export const view: Action[] = [
  {
    id: "auto-layout",
    label: "Tidy up",
    icon: IconHierarchy2,
    hotkey: "L",
    enabled: (state) => !state.readOnly && openGraph(state).steps.length > 1,
    run: async ({ store, canvas }) => {
      const graph = openGraph(store.getState());
      const places = await layOut(graph);
      const still = store.getState();
      // Steps that came or went while the worker thought: its answer is about another graph.
      if (openGraph(still).steps !== graph.steps) return;
      still.applyHere((current) => applyGraphChange(current, { kind: "move", places }));
      canvas()?.fit();
    },
  },
  {
    id: "fit",
    label: "Fit to view",
    icon: IconMaximize,
    hotkey: "F",
    enabled: (state) => openGraph(state).steps.length > 0,
    run: ({ canvas }) => canvas()?.fit(),
  },
];
