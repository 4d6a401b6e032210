import { useReactFlow, useStoreApi } from "@xyflow/react";
import { useMemo } from "react";
import type { CanvasView } from "./actions";
import { NODE } from "./graph";

export const FIT = { padding: 0.2, maxZoom: 1, duration: 140 };
/** What the toolbar covers, in pixels of the screen. */
const TOOLBAR = 64;
const MOTION = 140;

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
      reveal: (at) => {
        const { x, y, width, height } = viewport();
        const inside =
          at.x >= x && at.x + NODE.width <= x + width && at.y >= y && at.y + NODE.height <= y + height;
        if (inside || width <= 0) return;
        void flow.setCenter(at.x + NODE.width / 2, at.y + NODE.height / 2, {
          zoom: flow.getZoom(),
          duration: MOTION,
        });
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
