import { notifications } from "@mantine/notifications";
import { type Connection, type Edge, type OnConnectEnd, useReactFlow } from "@xyflow/react";
import { useCallback, useState } from "react";
import type { Insertion } from "./actions";
import { casesOf, targetsOf } from "./document";
import { applyGraphChange, NODE, refusal } from "./graph";
import { openGraph, useDesignerStore } from "./store";

export type Insert = (where: Insertion, at: { x: number; y: number }) => void;

/** An edge that was just drawn from a branch, and where: one may want it on another of its ways. */
export interface NewWay {
  branch: string;
  target: string;
  at: { x: number; y: number };
}

/** Dragging from port to port: what may be connected, and what happens when the mouse lets go elsewhere. */
export function useConnecting(onInsert: Insert) {
  const store = useDesignerStore();
  const { screenToFlowPosition } = useReactFlow();
  const [newWay, setNewWay] = useState<NewWay | null>(null);

  const isValidConnection = useCallback(
    ({ source, target }: Connection | Edge) => refusal(openGraph(store.getState()), source, target) === null,
    [store],
  );

  const onConnect = useCallback(
    ({ source, target }: Connection) =>
      store.getState().applyHere((graph) => applyGraphChange(graph, { kind: "connect", source, target })),
    [store],
  );

  const onConnectEnd: OnConnectEnd = useCallback(
    (event, { isValid, fromNode, toNode, fromHandle }) => {
      const pointer = "changedTouches" in event ? event.changedTouches[0] : event;
      if (!fromNode || !pointer) return;
      const at = { x: pointer.clientX, y: pointer.clientY };
      if (isValid && toNode) {
        const [source, target] = fromHandle?.type === "source" ? [fromNode, toNode] : [toNode, fromNode];
        const branch = openGraph(store.getState()).steps.find(({ id }) => id === source.id);
        // The first edge of a branch with one case can only have meant that case.
        if (branch?.type !== "branch" || (casesOf(branch).length === 1 && targetsOf(branch).length === 1))
          return;
        setNewWay({ branch: source.id, target: target.id, at });
        return;
      }
      if (fromHandle?.type !== "source") return;
      if (toNode) {
        const reason = refusal(openGraph(store.getState()), fromNode.id, toNode.id);
        if (reason && fromNode.id !== toNode.id) notifications.show({ color: "red", message: reason });
        return;
      }
      const { x, y } = screenToFlowPosition(at);
      onInsert({ at: { x, y: y - NODE.height / 2 }, after: fromNode.id }, at);
    },
    [store, onInsert, screenToFlowPosition],
  );

  return {
    newWay,
    forgetWay: () => setNewWay(null),
    handlers: { isValidConnection, onConnect, onConnectEnd },
  };
}
