import { BaseEdge, type Edge, EdgeLabelRenderer, type EdgeProps, getSmoothStepPath } from "@xyflow/react";
import { IconPlus } from "@tabler/icons-react";
import { memo } from "react";
import { useDesigner } from "../store";
import { useCanvasEvents } from "../events";
import type { GraphEdge } from "../graph";
import classes from "./StepEdge.module.css";

export type FlowEdge = Edge<Pick<GraphEdge, "kind" | "label" | "otherwise">>;

/** Beside a label of this many pixels there is still the "+" and some of the line to be seen. */
const BESIDE = 56;
/** With less room than this, the label stands above the "+". */
const SIDE_BY_SIDE = 150;
/** A line of this length may pass behind other steps; what stands on it is then this near to its end. */
const FAR = 400;
const NEAR = 32;
/** How far from a branch its ways part. */
const BEND = 20;

/** An edge with a "+" on it, which puts a step between the two; ways of branches and streams say so in words. */
export const StepEdge = memo(function StepEdge(props: EdgeProps<FlowEdge>) {
  const { source, target, selected, data } = props;
  const { onInsert } = useCanvasEvents();
  const readOnly = useDesigner((state) => state.readOnly);
  const label = data?.kind === "stream" ? "streams" : data?.label;
  const length = Math.abs(props.targetX - props.sourceX);
  // Ways part at once, so that each has a line of its own, beside its target, for its label.
  const parts = data?.kind === "way" && props.targetX - props.sourceX > SIDE_BY_SIDE;
  const bend = props.sourceX + BEND;
  const [path, x, y] = getSmoothStepPath({ ...props, borderRadius: 12, centerX: parts ? bend : undefined });
  const far = label !== undefined && length > FAR;
  const stacked = far || length < SIDE_BY_SIDE;
  const room = far ? 2 * NEAR : stacked ? Math.max(64, length - 8) : length - BESIDE - (parts ? BEND : 0);
  // In the middle of a long line there may be another step; before its target there is none.
  const at = far
    ? { x: props.targetX - NEAR - 8, y: props.targetY }
    : parts
      ? { x: (bend + props.targetX) / 2, y: props.targetY }
      : { x, y };
  return (
    <>
      <BaseEdge
        id={props.id}
        path={path}
        interactionWidth={24}
        markerEnd={props.markerEnd}
        className={classes.line}
        data-kind={data?.kind}
        data-otherwise={data?.otherwise || undefined}
      />
      <EdgeLabelRenderer>
        <div
          className={`${classes.middle} nodrag nopan`}
          data-stacked={(stacked && label !== undefined) || undefined}
          style={{ transform: `translate(-50%, -50%) translate(${at.x}px, ${at.y}px)` }}
        >
          {label && (
            <span className={classes.label} data-kind={data?.kind} title={label} style={{ maxWidth: room }}>
              {label}
            </span>
          )}
          {!readOnly && (
            <button
              type="button"
              className={classes.insert}
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
          )}
        </div>
      </EdgeLabelRenderer>
    </>
  );
});
