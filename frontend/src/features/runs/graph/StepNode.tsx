import { Handle, type Node, type NodeProps, Position } from "@xyflow/react";
import { memo } from "react";
import { StateIcon } from "@/components/StateBadge";
import { lookOf } from "@/components/states";
import { count } from "@/format";
import { Elapsed } from "@/format/Ago";
import { useLiveStep } from "@/realtime/run/useRunFeed";
import { typeOf } from "../stepTypes";
import { ItemsBar } from "./ItemsBar";
import classes from "./RunGraph.module.css";

export type StepNodeType = Node<{ run: string }, "step">;

/** A step on the run's graph: what it is, how it stands, and for a map how far it is. */
export const StepNode = memo(function StepNode({ id, data, selected }: NodeProps<StepNodeType>) {
  const step = useLiveStep(data.run, id);
  if (!step) return null;
  const { icon: Icon, word } = typeOf(step.type);
  const look = lookOf(step.state);
  const { total, completed, failed } = step.counts;
  return (
    <div className={classes.node} data-hue={look.hue} data-selected={selected} data-state={step.state}>
      <Handle type="target" position={Position.Left} className={classes.port} />
      <div className={classes.head}>
        <span className={classes.type}>
          <Icon size={18} stroke={1.8} aria-hidden />
        </span>
        <div className={classes.words}>
          <div className={classes.name} title={step.id}>
            {step.id}
          </div>
          <div className={classes.where}>
            {word}
            {step.pool ? ` · ${step.pool}` : ""}
          </div>
        </div>
      </div>
      <div className={classes.foot}>
        <StateIcon state={step.state} />
        <span className={classes.state}>{look.word}</span>
        {step.attempts > 1 && step.type !== "map" && (
          <span className={classes.attempts}>{count(step.attempts)} attempts</span>
        )}
        <span className={classes.figures}>
          {step.type === "map" && total > 0 ? (
            `${count(completed + failed)} of ${count(total)}`
          ) : (
            <Elapsed from={step.started_at} to={step.finished_at} />
          )}
        </span>
      </div>
      {step.type === "map" && <ItemsBar counts={step.counts} />}
      <Handle type="source" position={Position.Right} className={classes.port} />
    </div>
  );
});
