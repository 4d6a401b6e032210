import { Handle, type Node, type NodeProps, Position } from "@xyflow/react";
import { memo } from "react";
import { StateIcon } from "@/components/StateBadge";
import type { Step } from "@/api/types";
import { isFinal, lookOf } from "@/components/states";
import { count, plural } from "@/format";
import { Elapsed } from "@/format/Ago";
import { iterationOf } from "@/realtime/run/iterations";
import { useLiveStep } from "@/realtime/run/useRunFeed";
import { hasItems, itemsInShort } from "../counts";
import { isReducing, progressOf } from "../progress";
import { typeOf } from "../stepTypes";
import { Countdown } from "../waiting/Countdown";
import { ItemsBar } from "./ItemsBar";
import classes from "./RunGraph.module.css";

export type StepNodeType = Node<{ run: string }, "step">;

/** A step on the run's graph: what it is, how it stands, and for a map how far it is. */
export const StepNode = memo(function StepNode({ id, data, selected }: NodeProps<StepNodeType>) {
  const step = useLiveStep(data.run, id);
  if (!step) return null;
  const { icon: Icon, word } = typeOf(step.type);
  const look = lookOf(step.state);
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
            <Where step={step} word={word} />
          </div>
        </div>
      </div>
      <div className={classes.foot}>
        <StateIcon state={step.state} />
        <span className={classes.state}>{look.word}</span>
        {step.attempts > 1 && !hasItems(step) && step.type !== "loop" && (
          <span className={classes.attempts}>{count(step.attempts)} attempts</span>
        )}
        <span className={classes.figures}>
          <Foot step={step} />
        </span>
      </div>
      <Bar step={step} />
      <Handle type="source" position={Position.Right} className={classes.port} />
    </div>
  );
});

/** What it is and where it runs; while it tells how far it is, that. */
function Where({ step, word }: { step: Step; word: string }) {
  const progress = step.state === "running" ? progressOf(step) : null;
  if (progress?.message) return progress.message;
  if (progress && progress.figures.length > 0) {
    return progress.figures
      .slice(0, 3)
      .map(([name, value]) => `${name} ${value}`)
      .join(" · ");
  }
  if (step.state === "waiting" && step.type === "approval") return "Somebody must decide";
  return step.pool ? `${word} · ${step.pool}` : word;
}

function Foot({ step }: { step: Step }) {
  if (hasItems(step) && step.counts.total > 0) {
    return isReducing(step) && !isFinal(step.state) ? "reducing" : itemsInShort(step);
  }
  if (step.type === "loop" && step.state !== "pending" && step.state !== "skipped") {
    const rounds = iterationOf(step) + 1;
    return isFinal(step.state) ? plural(step.counts.completed, "iteration") : `iteration ${count(rounds)}`;
  }
  if (step.state === "waiting" && step.due_at) return <Countdown to={step.due_at} />;
  if (step.state === "queued" && step.retry_at) return <Countdown to={step.retry_at} />;
  return <Elapsed from={step.started_at} to={step.finished_at} />;
}

function Bar({ step }: { step: Step }) {
  if (hasItems(step)) return <ItemsBar counts={step.counts} />;
  const share = step.state === "running" ? progressOf(step)?.share : null;
  if (share === null || share === undefined) return null;
  return (
    <div
      className={classes.bar}
      data-share
      role="progressbar"
      aria-label={`Progress of ${step.id}`}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(share * 100)}
    >
      <span data-hue="blue" style={{ width: `${share * 100}%` }} />
    </div>
  );
}
