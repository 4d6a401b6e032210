import { BaseEdge, EdgeLabelRenderer, type EdgeProps, getSmoothStepPath } from "@xyflow/react";
import { IconPlus } from "@tabler/icons-react";
import { memo } from "react";
import { useDesigner } from "../store";
import { useCanvasEvents } from "../events";
import classes from "./StepEdge.module.css";

/** An edge with a "+" on it, which puts a step between the two. */
export const StepEdge = memo(function StepEdge(props: EdgeProps) {
  const { source, target, selected } = props;
  const { onInsert } = useCanvasEvents();
  const readOnly = useDesigner((state) => state.readOnly);
  const [path, x, y] = getSmoothStepPath({ ...props, borderRadius: 12 });
  return (
    <>
      <BaseEdge id={props.id} path={path} interactionWidth={24} markerEnd={props.markerEnd} />
      {!readOnly && (
        <EdgeLabelRenderer>
          <button
            type="button"
            className={`${classes.insert} nodrag nopan`}
            style={{ transform: `translate(-50%, -50%) translate(${x}px, ${y}px)` }}
            data-selected={selected}
            aria-label={`Insert between ${source} and ${target}`}
            title="Insert a step here"
            onClick={(event) => {
              const { left, bottom } = event.currentTarget.getBoundingClientRect();
              onInsert({ source, target }, { x: left, y: bottom + 8 });
            }}
          >
            <IconPlus size={12} stroke={2.4} aria-hidden />
          </button>
        </EdgeLabelRenderer>
      )}
    </>
  );
});
