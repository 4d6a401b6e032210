import { Handle, type Node, type NodeProps, Position } from "@xyflow/react";
import { IconArrowBackUp, IconArrowsMaximize, IconFilter, IconShieldCheck } from "@tabler/icons-react";
import { memo } from "react";
import { shortCondition } from "../branches";
import type { Step } from "../document";
import { undoneBy } from "../graph";
import { openGraph, useDesigner, useDesignerStore } from "../store";
import { whereItRuns } from "./describe";
import { kindOf } from "./index";
import classes from "./nodes.module.css";

export type StepNodeData = { step: Step; faults: number };
export type StepNodeType = Node<StepNodeData, "step">;

/** A step on the canvas: type, name, what it runs and where, faults, and its two ports. */
export const StepNode = memo(function StepNode({ data, selected }: NodeProps<StepNodeType>) {
  const { step, faults } = data;
  const kind = kindOf(step.type);
  const note = useDesigner((state) => kind.note?.(step) ?? whereItRuns(step, state.document));
  const readOnly = useDesigner((state) => state.readOnly);
  const line = kind.line(step);
  return (
    <div
      className={classes.node}
      data-selected={selected}
      data-faulty={faults > 0}
      data-holds={step.type === "loop" || undefined}
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
            {kind.word} · {note}
          </div>
        </div>
        <Marks step={step} />
        {step.type === "loop" && <OpenLoop id={step.id} />}
      </div>
      <div className={classes.what} title={line}>
        {line}
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

/** What makes it run, or not, other than what it waits for. */
function Marks({ step }: { step: Step }) {
  const undoes = useDesigner((state) => undoneBy(openGraph(state)).get(step.id));
  const marks = [
    { on: step.when !== undefined, icon: IconFilter, title: `Only when ${shortCondition(step.when)}` },
    { on: step.always_run === true, icon: IconShieldCheck, title: "Runs always, after a failure too" },
    { on: undoes !== undefined, icon: IconArrowBackUp, title: `Undoes ${undoes}` },
  ].filter(({ on }) => on);
  if (marks.length === 0) return null;
  return (
    <span className={classes.marks}>
      {marks.map(({ icon: Icon, title }) => (
        <span key={title} title={title} role="img" aria-label={title}>
          <Icon size={14} stroke={1.8} aria-hidden />
        </span>
      ))}
    </span>
  );
}

function OpenLoop({ id }: { id: string }) {
  const store = useDesignerStore();
  return (
    <button
      type="button"
      className={`${classes.open} nodrag nopan`}
      aria-label={`Open loop ${id}`}
      title="See and edit the steps inside (double click)"
      onClick={(event) => {
        event.stopPropagation();
        store.getState().enter([...store.getState().scope, id]);
      }}
    >
      <IconArrowsMaximize size={14} aria-hidden />
    </button>
  );
}
