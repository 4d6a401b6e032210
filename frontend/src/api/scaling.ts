import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { query, request } from "./client";
import { keys } from "./keys";
import type {
  Decision,
  Forecast,
  NewPolicy,
  Page,
  Policy,
  PolicyFields,
  PolicyInForce,
  Preset,
  Replay,
} from "./types";

export interface DecisionFilters {
  pool?: string;
  /** One or several, with commas between them. */
  action?: string;
  reason?: string;
}

/** The newest first; what is decided later comes by the feed. */
export const decisionList = (filters: DecisionFilters) =>
  infiniteQueryOptions({
    queryKey: keys.decisions(filters),
    queryFn: ({ pageParam, signal }) =>
      request<Page<Decision>>(pageParam ?? `decisions/${query({ ...filters })}`, { signal }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
  });

const MOST = 500;
const PAGES = 6;

/** Every decision about a pool of the last `minutes`, the oldest first: what the chart draws. */
export const decisionHistory = (pool: string, minutes: number) =>
  queryOptions({
    queryKey: keys.decisionHistory(pool, minutes),
    queryFn: async ({ signal }) => {
      const from = new Date(Date.now() - minutes * 60_000).toISOString();
      const found: Decision[] = [];
      let next: string | null = `decisions/${query({ pool, from, limit: MOST })}`;
      for (let page = 0; next !== null && page < PAGES; page += 1) {
        const answer: Page<Decision> = await request<Page<Decision>>(next, { signal });
        found.push(...answer.results);
        next = answer.next;
      }
      return found.reverse();
    },
    staleTime: 60_000,
  });

export const decisionDetail = (id: number) =>
  queryOptions({
    queryKey: keys.decision(id),
    queryFn: ({ signal }) => request<Decision>(`decisions/${id}/`, { signal }),
    staleTime: Number.POSITIVE_INFINITY,
  });

/** Decides again on what the decision saw; changes nothing. */
export const replayDecision = (id: number) => request<Replay>(`decisions/${id}/replay/`, { method: "POST" });

/** Which policy counts for each pool of the team. */
export const policiesInForce = queryOptions({
  queryKey: keys.policiesInForce(),
  queryFn: async ({ signal }) =>
    (await request<{ results: PolicyInForce[] }>("policies/in-force/", { signal })).results,
  refetchInterval: 10_000,
});

export const presetList = queryOptions({
  queryKey: keys.presets(),
  queryFn: async ({ signal }) =>
    (await request<{ results: Preset[] }>("policies/presets/", { signal })).results,
  staleTime: Number.POSITIVE_INFINITY,
});

export const createPolicy = (policy: NewPolicy) =>
  request<Policy>("policies/", { method: "POST", body: policy });
export const changePolicy = (id: string, changes: PolicyFields) =>
  request<Policy>(`policies/${id}/`, { method: "PATCH", body: changes });
export const deletePolicy = (id: string) => request<void>(`policies/${id}/`, { method: "DELETE" });

/** Each forecast is made anew when a minute is over. */
const FORECAST_EVERY_MS = 20_000;

/** Of the pools whose policies ask for prediction. */
export const forecastList = queryOptions({
  queryKey: keys.forecasts(),
  queryFn: async ({ signal }) => (await request<Page<Forecast>>("forecasts/?limit=200", { signal })).results,
  refetchInterval: FORECAST_EVERY_MS,
});

/** Of one pool, with what was forecast and what came in the last day; null when there is nothing to tell. */
export const forecastOf = (pool: string) =>
  queryOptions({
    queryKey: keys.forecasts(pool),
    queryFn: async ({ signal }) =>
      (await request<Page<Forecast>>(`forecasts/${query({ pool, hours: 24 })}`, { signal })).results[0] ??
      null,
    refetchInterval: FORECAST_EVERY_MS,
  });
