import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { query, request } from "./client";
import { keys } from "./keys";
import type { Item, LogLine, Page, Run, RunEvent, RunSummary, Step } from "./types";

const at = (id: string) => `runs/${id}/`;
const stepAt = (id: string, step: string) => `${at(id)}steps/${encodeURIComponent(step)}/`;

export const runList = (filters: { workflow?: string; state?: string }) =>
  infiniteQueryOptions({
    queryKey: keys.runs(filters),
    queryFn: ({ pageParam, signal }) =>
      request<Page<RunSummary>>(pageParam ?? `runs/${query(filters)}`, { signal }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    refetchInterval: (current) =>
      current.state.data?.pages[0]?.results.some((run) => run.finished_at === null) ? 1500 : 5000,
  });

export const getRun = (id: string, signal?: AbortSignal) => request<Run>(at(id), { signal });

export const getSteps = async (id: string, signal?: AbortSignal) =>
  (await request<{ results: Step[] }>(`${at(id)}steps/`, { signal })).results;

export const cancelRun = (id: string) => request<Run>(`${at(id)}cancel/`, { method: "POST" });

/** The step with its input and output. `mark` changes with the step's state, so that it is asked anew. */
export const stepDetail = (id: string, step: string, mark: string) =>
  queryOptions<Step>({
    queryKey: [...keys.step(id, step), mark],
    queryFn: ({ signal }) => request<Step>(stepAt(id, step), { signal }),
    staleTime: Number.POSITIVE_INFINITY,
    placeholderData: (previous): Step | undefined => (previous?.id === step ? previous : undefined),
  });

export const itemList = (id: string, step: string, state: string) =>
  infiniteQueryOptions({
    queryKey: keys.items(id, step, state),
    queryFn: ({ pageParam, signal }) =>
      request<Page<Item>>(pageParam ?? `${stepAt(id, step)}items/${query({ state, limit: 200 })}`, {
        signal,
      }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
  });

export const eventList = (id: string) =>
  infiniteQueryOptions({
    queryKey: keys.events(id),
    queryFn: ({ pageParam, signal }) =>
      request<Page<RunEvent>>(pageParam ?? `${at(id)}events/?limit=200`, { signal }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
  });

export const logList = (id: string, step: string, live: boolean) =>
  infiniteQueryOptions({
    queryKey: keys.logs(id, step),
    queryFn: ({ pageParam, signal }) =>
      request<Page<LogLine>>(pageParam ?? `${at(id)}logs/${query({ step, limit: 200 })}`, { signal }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    refetchInterval: live ? 2000 : false,
  });
