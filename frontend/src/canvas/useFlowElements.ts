import { type EdgeChange, MarkerType, type NodeChange } from "@xyflow/react";
import { useCallback, useMemo, useState } from "react";
import type { Position } from "./document";
import type { FlowEdge } from "./edges/StepEdge";
import { applyGraphChange, documentToGraph, NODE } from "./graph";
import type { StepNodeType } from "./nodes/StepNode";
import { openGraph, useDesigner, useDesignerStore } from "./store";
import { faultsByStep } from "./store/problemsSlice";

const marker = { type: MarkerType.ArrowClosed, width: 14, height: 14, color: "var(--xy-edge-stroke)" };
const undoMarker = { ...marker, color: "var(--af-violet)" };

/** The document's graph in the shape that the canvas library draws, and its changes taken back to the document. */
export function useFlowElements() {
  const store = useDesignerStore();
  const open = useDesigner(openGraph);
  const selected = useDesigner((state) => state.selected);
  const selectedEdges = useDesigner((state) => state.selectedEdges);
  const problems = useDesigner((state) => state.problems);
  const [dragged, setDragged] = useState<Record<string, Position>>({});
  const graph = useMemo(() => documentToGraph(open), [open]);
  const faults = useMemo(() => faultsByStep(problems, open.steps), [problems, open.steps]);

  const nodes = useMemo(
    () =>
      graph.nodes.map(({ id, step, position }): StepNodeType => ({
        id,
        type: "step",
        position: dragged[id] ?? position,
        data: { step, faults: faults.get(id) ?? 0 },
        ...NODE,
        measured: NODE,
        selected: selected.includes(id),
        ariaLabel: `${id}, ${step.type}`,
      })),
    [graph, dragged, faults, selected],
  );

  const edges = useMemo(
    () =>
      graph.edges.map((edge): FlowEdge => {
        const { id, source, target, kind, label, otherwise } = edge;
        return {
          id,
          source,
          target,
          type: kind === "undo" ? "undo" : "step",
          data: { kind, label, otherwise },
          markerEnd: kind === "undo" ? undoMarker : marker,
          selected: selectedEdges.includes(id),
        };
      }),
    [graph, selectedEdges],
  );

  const onNodesChange = useCallback(
    (changes: NodeChange<StepNodeType>[]) => {
      const { select, selected: before, selectedEdges: edgesBefore, applyHere } = store.getState();
      const picked = pick(before, changes);
      if (picked) select(picked, edgesBefore);
      const moving: Record<string, Position> = {};
      const landed: Record<string, Position> = {};
      for (const change of changes) {
        if (change.type !== "position" || !change.position) continue;
        (change.dragging ? moving : landed)[change.id] = change.position;
      }
      if (Object.keys(landed).length > 0) {
        applyHere((current) => applyGraphChange(current, { kind: "move", places: landed }));
        setDragged({});
      } else if (Object.keys(moving).length > 0) setDragged((already) => ({ ...already, ...moving }));
    },
    [store],
  );

  const onEdgesChange = useCallback(
    (changes: EdgeChange[]) => {
      const { select, selected: before, selectedEdges: edgesBefore } = store.getState();
      const picked = pick(edgesBefore, changes);
      if (picked) select(before, picked);
    },
    [store],
  );

  return { nodes, edges, onNodesChange, onEdgesChange };
}

/** The selection after a list of changes; null when none of them is about it. */
function pick(before: string[], changes: (NodeChange<StepNodeType> | EdgeChange)[]): string[] | null {
  const picked = new Set(before);
  let concerned = false;
  for (const change of changes) {
    if (change.type !== "select") continue;
    concerned = true;
    if (change.selected) picked.add(change.id);
    else picked.delete(change.id);
  }
  return concerned ? [...picked] : null;
}
