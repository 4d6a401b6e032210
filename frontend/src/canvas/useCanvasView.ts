import { useReactFlow, useStoreApi } from "@xyflow/react";
import { useMemo } from "react";
import type { CanvasView } from "./actions";
import { NODE } from "./graph";

export const FIT = { padding: 0.1, maxZoom: 1, duration: 140 };
/** What the toolbar covers, in pixels of the screen. */
const TOOLBAR = 64;
const MARGIN = 24;

/** How far a view has to move along one axis to show a length with a margin. */
function shortfall(start: number, length: number, from: number, size: number): number {
  if (start - MARGIN < from) return start - MARGIN - from;
  return Math.max(0, start + length + MARGIN - (from + size));
}

/** The canvas as actions see it: what is in view, and how to bring something there. */
export function useCanvasView(): CanvasView {
  const flow = useReactFlow();
  const store = useStoreApi();
  return useMemo(() => {
    const viewport = () => {
      const { width, height, transform } = store.getState();
      const [x, y, zoom] = transform;
      return {
        x: -x / zoom,
        y: (TOOLBAR - y) / zoom,
        width: width / zoom,
        height: (height - TOOLBAR) / zoom,
      };
    };
    return {
      viewport,
      fit: () => {
        // The nodes that were just placed reach the canvas with the next frame.
        requestAnimationFrame(() => void flow.fitView(FIT));
      },
      // At once and no further than needed: what one was looking at stays in sight, under the mouse.
      reveal: (at) => {
        const { x, y, width, height } = viewport();
        if (width <= 0) return;
        const dx = shortfall(at.x, NODE.width, x, width);
        const dy = shortfall(at.y, NODE.height, y, height);
        if (dx === 0 && dy === 0) return;
        const [left, top, zoom] = store.getState().transform;
        void flow.setViewport({ x: left - dx * zoom, y: top - dy * zoom, zoom });
      },
      focus: (step) => {
        const { domNode } = store.getState();
        requestAnimationFrame(() => {
          const node = domNode?.querySelector<HTMLElement>(
            `.react-flow__node[data-id="${CSS.escape(step)}"]`,
          );
          node?.focus({ preventScroll: true });
        });
      },
    };
  }, [flow, store]);
}
