/** One handler per event: how it changes what the page knows of the run. Pure; unknown events change nothing. */
import type { Run, Step } from "@/api/types";
import { placeOf, withInner } from "./iterations";
import type { RunEventMessage, RunLive } from "./state";

type Handler = (live: RunLive, message: RunEventMessage) => RunLive;

function takeRun(live: RunLive, message: RunEventMessage): RunLive {
  const run = message.data.run as Partial<Run> | undefined;
  return run ? { ...live, run: { ...live.run, ...run } } : live;
}

/** Events carry a step without its input and output: those we know stay. Loops bring new steps. */
function takeStep(live: RunLive, message: RunEventMessage): RunLive {
  const step = message.data.step as Step | undefined;
  if (!step) return live;
  const known = live.steps.some((old) => old.id === step.id);
  if (!known) return { ...live, steps: withInner(live.steps, step) };
  return { ...live, steps: live.steps.map((old) => (old.id === step.id ? { ...old, ...step } : old)) };
}

/** These events name the step, and tell one thing of it. */
function takePart(name: "progress" | "settings"): Handler {
  return (live, { data }) => ({
    ...live,
    steps: live.steps.map((old) => (old.id === data.step ? { ...old, [name]: data[name] } : old)),
  });
}

function takePauseRequest(live: RunLive, message: RunEventMessage): RunLive {
  const next = takeRun(live, message);
  return { ...next, run: { ...next.run, pause_requested_at: message.at } };
}

function takeResumeRequest(live: RunLive, message: RunEventMessage): RunLive {
  const next = takeRun(live, message);
  return { ...next, run: { ...next.run, pause_requested_at: null } };
}

/** The run goes on from what failed: its steps start over, and maps keep the items that completed. */
function takeRetry(live: RunLive, message: RunEventMessage): RunLive {
  const again = new Set(message.data.steps as string[] | undefined);
  const requests = { cancel_requested_at: null, pause_requested_at: null, output: null };
  const steps = live.steps.filter((step) => placeOf(step.id) === null);
  return takeRun(
    {
      ...live,
      run: { ...live.run, ...requests },
      steps: steps.map((step) => (again.has(step.id) ? startedOver(step) : step)),
    },
    message,
  );
}

function startedOver(step: Step): Step {
  const { total, completed, failed } = step.counts;
  const keeps = total > 0 && step.type.startsWith("map") && (failed > 0 || step.state !== "completed");
  const fresh = { error: null, finished_at: null, duration_ms: null, retry_at: null, due_at: null };
  return {
    ...step,
    ...fresh,
    state: keeps ? "queued" : "pending",
    counts: keeps
      ? { total, completed, failed: 0, running: 0 }
      : { total: 0, completed: 0, failed: 0, running: 0 },
    started_at: keeps ? step.started_at : null,
    reason: null,
    progress: null,
    input: undefined,
    output: undefined,
  };
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
  "run.paused": takeRun,
  "run.waiting": takeRun,
  "run.resumed": takeRun,
  "run.prioritized": takeRun,
  "run.signalled": takeRun,
  "run.retried": takeRetry,
  "run.cancel_requested": takeCancelRequest,
  "run.pause_requested": takePauseRequest,
  "run.resume_requested": takeResumeRequest,
  "step.queued": takeStep,
  "step.started": takeStep,
  "step.completed": takeStep,
  "step.failed": takeStep,
  "step.skipped": takeStep,
  "step.cancelled": takeStep,
  "step.retrying": takeStep,
  "step.waiting": takeStep,
  "step.reducing": takeStep,
  "step.read": takeStep,
  "step.iterated": takeStep,
  "step.compensated": takeStep,
  "step.progress": takePart("progress"),
  "step.changed": takePart("settings"),
  "step.decided": takeRun,
  "items.changed": takeStep,
};
