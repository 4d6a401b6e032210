import { BaseEdge, EdgeLabelRenderer, type EdgeProps, useInternalNode } from "@xyflow/react";
import { memo } from "react";
import { NODE } from "../graph";
import type { FlowEdge } from "./StepEdge";
import classes from "./StepEdge.module.css";

/** From a step back to the one that undoes it: over the tops or bottoms of the two, so that it never looks like work. */
export const UndoEdge = memo(function UndoEdge({ id, source, target, markerEnd }: EdgeProps<FlowEdge>) {
  const from = useInternalNode(source)?.internals.positionAbsolute;
  const to = useInternalNode(target)?.internals.positionAbsolute;
  if (!from || !to) return null;
  const down = to.y >= from.y;
  const apart = Math.abs(to.y - from.y) >= NODE.height;
  const start = { x: from.x + NODE.width / 2, y: from.y + (down ? NODE.height : 0) };
  // Side by side, the curve goes below both; above each other, it goes straight.
  const end = { x: to.x + NODE.width / 2, y: to.y + (down === apart ? 0 : NODE.height) };
  const bow = (down ? 1 : -1) * 48;
  const path = `M${start.x},${start.y} C${start.x},${start.y + bow} ${end.x},${end.y + (apart ? -bow : bow)} ${end.x},${end.y}`;
  const middle = {
    x: (start.x + end.x) / 2,
    y: (start.y + end.y) / 2 + (apart ? 0 : bow * 0.75),
  };
  return (
    <>
      <BaseEdge id={id} path={path} interactionWidth={24} markerEnd={markerEnd} className={classes.undo} />
      <EdgeLabelRenderer>
        <div
          className={classes.middle}
          style={{ transform: `translate(-50%, -50%) translate(${middle.x}px, ${middle.y}px)` }}
        >
          <span className={classes.label} data-kind="undo">
            undone by
          </span>
        </div>
      </EdgeLabelRenderer>
    </>
  );
});
