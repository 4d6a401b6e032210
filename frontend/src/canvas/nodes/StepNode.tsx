import { Handle, type Node, type NodeProps, Position } from "@xyflow/react";
import { memo } from "react";
import type { Step } from "../document";
import { useDesigner } from "../store";
import { whatItRuns, whereItRuns } from "./describe";
import { kindOf } from "./index";
import classes from "./nodes.module.css";

export type StepNodeData = { step: Step; faults: number };
export type StepNodeType = Node<StepNodeData, "step">;

/** A step on the canvas: type, name, what it runs and where, faults, and its two ports. */
export const StepNode = memo(function StepNode({ data, selected }: NodeProps<StepNodeType>) {
  const { step, faults } = data;
  const kind = kindOf(step.type);
  const where = useDesigner((state) => whereItRuns(step, state.document));
  const readOnly = useDesigner((state) => state.readOnly);
  return (
    <div
      className={classes.node}
      data-selected={selected}
      data-faulty={faults > 0}
      style={{ "--hue": `var(--af-${kind.hue})` }}
    >
      <Handle type="target" position={Position.Left} className={classes.port} isConnectable={!readOnly} />
      <div className={classes.head}>
        <span className={classes.icon}>
          <kind.icon size={18} stroke={1.8} aria-hidden />
        </span>
        <div className={classes.words}>
          <div className={classes.name} title={step.name ? `${step.name} (${step.id})` : step.id}>
            {step.name ?? step.id}
          </div>
          <div className={classes.where}>
            {kind.word} · {where}
          </div>
        </div>
      </div>
      <div className={classes.what} title={whatItRuns(step)}>
        <kind.Body step={step} />
      </div>
      {faults > 0 && (
        <span className={classes.faults} title={faults === 1 ? "1 problem" : `${faults} problems`}>
          {faults}
        </span>
      )}
      <Handle type="source" position={Position.Right} className={classes.port} isConnectable={!readOnly} />
    </div>
  );
});
