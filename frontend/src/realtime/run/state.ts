import type { Run, RunEvent, Step, StepState } from "@/api/types";

/** What the page knows of one run. `seq` is the last event seen, null before the first snapshot. */
export interface RunLive {
  seq: number | null;
  run: Run;
  steps: Step[];
}

export interface RunSnapshot {
  type: "snapshot";
  seq: number;
  run: Run;
  steps: Step[];
}

export interface RunEventMessage extends Omit<RunEvent, "type"> {
  type: "event";
  event: string;
}

export type RunMessage = RunSnapshot | RunEventMessage;

/** `[index, state, attempts]` of items that changed. */
export type ItemChange = [number, StepState, number];
