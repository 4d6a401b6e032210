import { notifications } from "@mantine/notifications";
import { type Connection, type Edge, type OnConnectEnd, useReactFlow } from "@xyflow/react";
import { useCallback } from "react";
import type { Insertion } from "./actions";
import { applyGraphChange, NODE, refusal } from "./graph";
import { useDesignerStore } from "./store";

export type Insert = (where: Insertion, at: { x: number; y: number }) => void;

/** Dragging from port to port: what may be connected, and what happens when the mouse lets go elsewhere. */
export function useConnecting(onInsert: Insert) {
  const store = useDesignerStore();
  const { screenToFlowPosition } = useReactFlow();

  const isValidConnection = useCallback(
    ({ source, target }: Connection | Edge) => refusal(store.getState().document, source, target) === null,
    [store],
  );

  const onConnect = useCallback(
    ({ source, target }: Connection) =>
      store.getState().apply((document) => applyGraphChange(document, { kind: "connect", source, target })),
    [store],
  );

  const onConnectEnd: OnConnectEnd = useCallback(
    (event, { isValid, fromNode, toNode, fromHandle }) => {
      if (isValid || !fromNode || fromHandle?.type !== "source") return;
      if (toNode) {
        const reason = refusal(store.getState().document, fromNode.id, toNode.id);
        if (reason && fromNode.id !== toNode.id) notifications.show({ color: "red", message: reason });
        return;
      }
      const pointer = "changedTouches" in event ? event.changedTouches[0] : event;
      if (!pointer) return;
      const { x, y } = screenToFlowPosition({ x: pointer.clientX, y: pointer.clientY });
      const at = { x, y: y - NODE.height / 2 };
      onInsert({ at, after: fromNode.id }, { x: pointer.clientX, y: pointer.clientY });
    },
    [store, onInsert, screenToFlowPosition],
  );

  return { isValidConnection, onConnect, onConnectEnd };
}
