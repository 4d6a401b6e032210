import { queryOptions } from "@tanstack/react-query";
import { query, request } from "./client";
import { keys } from "./keys";
import type { LogLine, Page, Run } from "./types";

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

/** What a trial printed first; the run's page has the rest of it. */
export const trialLogs = (run: string, step: string, live: boolean) =>
  queryOptions({
    queryKey: [...keys.logs(run, step), "trial"],
    queryFn: async ({ signal }) =>
      (await request<Page<LogLine>>(`runs/${run}/logs/${query({ step, limit: 200 })}`, { signal })).results,
    refetchInterval: live ? 1000 : false,
  });
