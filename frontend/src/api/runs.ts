import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { query, request } from "./client";
import { keys } from "./keys";
import type {
  FailureGroup,
  Item,
  LogLine,
  MapSettings,
  Page,
  Reason,
  Run,
  RunEvent,
  RunSummary,
  StateValue,
  Step,
} from "./types";

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

/** All pages of a list, one after the other. */
async function everyPage<T>(path: string, signal?: AbortSignal): Promise<T[]> {
  const found: T[] = [];
  let next: string | null | undefined = path;
  while (next) {
    const page: Page<T> = await request<Page<T>>(next, { signal });
    found.push(...page.results);
    next = page.next;
  }
  return found;
}

export const getSteps = (id: string, signal?: AbortSignal) => everyPage<Step>(`${at(id)}steps/`, signal);

const act = (id: string, action: string, body?: unknown) =>
  request<Run>(`${at(id)}${action}/`, { method: "POST", body });

export const cancelRun = (id: string) => act(id, "cancel");
export const pauseRun = (id: string) => act(id, "pause");
export const resumeRun = (id: string) => act(id, "resume");
/** The same run goes on; with a `version` that is not its own, a new run takes over what completed. */
export const retryRun = (id: string, version?: number) => act(id, "retry", version ? { version } : {});
export const replayRun = (id: string, params: Record<string, unknown>) => act(id, "replay", { params });
export const prioritizeRun = (id: string, priority: number) => act(id, "priority", { priority });
export const signalRun = (id: string, name: string, payload: unknown) => act(id, "signal", { name, payload });
export const decideStep = (id: string, step: string, decision: { approve: boolean; data: unknown }) =>
  request<Run>(`${stepAt(id, step)}decide/`, { method: "POST", body: decision });
export const changeStep = (id: string, step: string, settings: MapSettings) =>
  request<Step>(stepAt(id, step), { method: "PATCH", body: settings });

const WHY_EVERY = 2000;

/** Why the run, a step or an item is not running; asked anew while it is looked at. */
export const why = (id: string, step: string | undefined, item: number | undefined, mark: string) =>
  queryOptions({
    queryKey: [...keys.why(id, step, item), mark],
    queryFn: ({ signal }) =>
      request<Reason>(`${step === undefined ? at(id) : stepAt(id, step)}why/${query({ item })}`, { signal }),
    refetchInterval: WHY_EVERY,
    retry: false,
  });

/** The failed items of a map by cause. `failed` is how many there are: with it the answer changes. */
export const failureList = (id: string, step: string, failed: number) =>
  queryOptions({
    queryKey: [...keys.failures(id, step), failed],
    queryFn: async ({ signal }) =>
      (await request<{ results: FailureGroup[] }>(`${stepAt(id, step)}failures/`, { signal })).results,
    placeholderData: (previous): FailureGroup[] | undefined => previous,
    staleTime: Number.POSITIVE_INFINITY,
  });

export const stateList = (id: string, live: boolean) =>
  queryOptions({
    queryKey: keys.state(id),
    queryFn: async ({ signal }) =>
      (await request<{ results: StateValue[] }>(`${at(id)}state/`, { signal })).results,
    refetchInterval: live ? 1500 : false,
  });

/** The steps of one iteration of a loop: "refine.2" is its third. */
export const iterationSteps = (id: string, iteration: string, mark: string) =>
  queryOptions({
    queryKey: [...keys.iteration(id, iteration), mark],
    queryFn: ({ signal }) => everyPage<Step>(`${at(id)}steps/${query({ iteration })}`, signal),
    placeholderData: (previous): Step[] | undefined =>
      previous?.every((step) => step.id.startsWith(`${iteration}.`)) ? previous : undefined,
  });

/** Events tell a step without its values: they are read anew when this changes. */
export function markOf(step: Step): string {
  return `${step.state} ${step.attempts} ${step.type === "loop" ? step.counts.completed : ""}`;
}

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

/** What was printed, logged and measured; of one step or one item when told. */
export const logList = (id: string, step: string, item: number | undefined, live: boolean) =>
  infiniteQueryOptions({
    queryKey: keys.logs(id, step, item),
    queryFn: ({ pageParam, signal }) =>
      request<Page<LogLine>>(pageParam ?? `${at(id)}logs/${query({ step, item, limit: 200 })}`, { signal }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    refetchInterval: live ? 1000 : false,
  });
