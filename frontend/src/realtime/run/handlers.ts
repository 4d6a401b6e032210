/** One handler per event: how it changes what the page knows of the run. Pure; unknown events change nothing. */
import type { Run, Step } from "@/api/types";
import type { RunEventMessage, RunLive } from "./state";

type Handler = (live: RunLive, message: RunEventMessage) => RunLive;

function takeRun(live: RunLive, message: RunEventMessage): RunLive {
  const run = message.data.run as Partial<Run> | undefined;
  return run ? { ...live, run: { ...live.run, ...run } } : live;
}

/** Events carry a step without its input and output: those we know stay. */
function takeStep(live: RunLive, message: RunEventMessage): RunLive {
  const step = message.data.step as Step | undefined;
  if (!step) return live;
  return { ...live, steps: live.steps.map((old) => (old.id === step.id ? { ...old, ...step } : old)) };
}

function takeCancelRequest(live: RunLive, message: RunEventMessage): RunLive {
  return takeRun({ ...live, run: { ...live.run, cancel_requested_at: message.at } }, message);
}

export const handlers: Record<string, Handler> = {
  "run.created": takeRun,
  "run.started": takeRun,
  "run.completed": takeRun,
  "run.failed": takeRun,
  "run.cancelled": takeRun,
  "run.cancel_requested": takeCancelRequest,
  "step.queued": takeStep,
  "step.started": takeStep,
  "step.completed": takeStep,
  "step.failed": takeStep,
  "step.skipped": takeStep,
  "step.cancelled": takeStep,
  "step.retrying": takeStep,
  "items.changed": takeStep,
};
