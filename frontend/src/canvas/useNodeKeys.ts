import { type KeyboardEvent, useCallback } from "react";
import type { CanvasView } from "./actions";
import { findStep } from "./document";
import { applyGraphChange, documentToGraph } from "./graph";
import { DIRECTIONS, type Direction, neighbour } from "./keyboard";
import { type DesignerStore, openGraph, useDesignerStore } from "./store";

const NUDGE: Record<Direction, { x: number; y: number }> = {
  left: { x: -16, y: 0 },
  right: { x: 16, y: 0 },
  up: { x: 0, y: -16 },
  down: { x: 0, y: 16 },
};

/**
 * Keys on a node: arrows go to its neighbours, with Shift they move it; Enter opens the inspector, Shift Enter a
 * loop.
 */
export function useNodeKeys(view: CanvasView, onOpenInspector: (step: string) => void) {
  const store = useDesignerStore();
  return useCallback(
    (event: KeyboardEvent) => {
      const target = event.target instanceof Element ? event.target : null;
      const id = target?.classList.contains("react-flow__node") ? target.getAttribute("data-id") : null;
      if (!id) return;
      const direction = DIRECTIONS[event.key];
      if (direction && event.shiftKey) nudge(store, id, direction);
      else if (direction) goTo(store, view, id, direction);
      else if (event.key === "Enter" && event.shiftKey) goInto(store, id);
      else if (event.key === "Enter") {
        store.getState().select([id]);
        onOpenInspector(id);
      } else if (event.key === " ") store.getState().select([id]);
      else if (event.key === "Escape") store.getState().select([]);
      else return;
      event.preventDefault();
    },
    [store, view, onOpenInspector],
  );
}

function goTo(store: DesignerStore, view: CanvasView, id: string, direction: Direction): void {
  const { nodes } = documentToGraph(openGraph(store.getState()));
  const next = neighbour(nodes, id, direction);
  if (!next) return;
  store.getState().select([next]);
  const place = nodes.find((node) => node.id === next)?.position;
  if (place) view.reveal(place);
  view.focus(next);
}

function goInto(store: DesignerStore, id: string): void {
  const { document, scope, enter } = store.getState();
  if (findStep(document, id)?.type === "loop") enter([...scope, id]);
}

function nudge(store: DesignerStore, id: string, direction: Direction): void {
  const { selected, applyHere } = store.getState();
  const ids = selected.includes(id) ? selected : [id];
  const { x, y } = NUDGE[direction];
  const places = Object.fromEntries(
    documentToGraph(openGraph(store.getState()))
      .nodes.filter((node) => ids.includes(node.id))
      .map((node) => [node.id, { x: node.position.x + x, y: node.position.y + y }]),
  );
  applyHere((current) => applyGraphChange(current, { kind: "move", places }), `nudge:${ids.join()}`);
}
