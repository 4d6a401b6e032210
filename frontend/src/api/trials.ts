import { request } from "./client";
import type { Run } from "./types";

export interface Trial {
  step: string;
  /** Stands in the place of the step's input; for steps over a list, it is the list. */
  input: unknown;
  /** The draft that is tried, saved or not. */
  document: unknown;
}

/** Runs one step alone; the answer is a run like any other, with the tag `trial`. */
export const tryStep = (workflow: string, trial: Trial) =>
  request<Run>(`workflows/${encodeURIComponent(workflow)}/try-step/`, { method: "POST", body: trial });
