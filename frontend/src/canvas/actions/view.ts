import { IconHierarchy2, IconMaximize } from "@tabler/icons-react";
import { applyGraphChange } from "../graph";
import { layOut } from "../layout";
import type { Action } from "./index";

export const view: Action[] = [
  {
    id: "auto-layout",
    label: "Tidy up",
    icon: IconHierarchy2,
    hotkey: "L",
    enabled: ({ readOnly, document }) => !readOnly && document.steps.length > 1,
    run: async ({ store, canvas }) => {
      const { document } = store.getState();
      const places = await layOut(document);
      const still = store.getState();
      // Steps that came or went while the worker thought: its answer is about another graph.
      if (still.document.steps !== document.steps) return;
      still.apply((current) => applyGraphChange(current, { kind: "move", places }));
      canvas()?.fit();
    },
  },
  {
    id: "fit",
    label: "Fit to view",
    icon: IconMaximize,
    hotkey: "F",
    enabled: ({ document }) => document.steps.length > 0,
    run: ({ canvas }) => canvas()?.fit(),
  },
];
