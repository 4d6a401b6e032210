import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { query, request } from "./client";
import { keys } from "./keys";
import type {
  Estimate,
  Page,
  Run,
  Validation,
  Version,
  VersionSummary,
  WorkflowDetail,
  WorkflowSummary,
} from "./types";

const at = (name: string) => `workflows/${encodeURIComponent(name)}/`;

export const workflowList = (search: string) =>
  infiniteQueryOptions({
    queryKey: keys.workflows(search),
    queryFn: ({ pageParam, signal }) =>
      request<Page<WorkflowSummary>>(pageParam ?? `workflows/${query({ search })}`, { signal }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    refetchInterval: 5000,
  });

export const workflowDetail = (name: string) =>
  queryOptions({
    queryKey: keys.workflow(name),
    queryFn: ({ signal }) => request<WorkflowDetail>(at(name), { signal }),
  });

export const versionList = (name: string) =>
  queryOptions({
    queryKey: keys.versions(name),
    queryFn: ({ signal }) => request<Page<VersionSummary>>(`${at(name)}versions/`, { signal }),
  });

/** Versions never change, so one is asked for once. */
export const versionDetail = (name: string, number: number) =>
  queryOptions({
    queryKey: keys.version(name, number),
    queryFn: ({ signal }) => request<Version>(`${at(name)}versions/${number}/`, { signal }),
    staleTime: Number.POSITIVE_INFINITY,
  });

/** By the last runs; of the newest version when none is named. */
export const estimateOf = (name: string, version?: number) =>
  queryOptions({
    queryKey: keys.estimate(name, version),
    queryFn: ({ signal }) =>
      request<Estimate>(`${at(name)}estimate/`, { method: "POST", body: { version }, signal }),
    retry: false,
  });

export const validate = (document: unknown, signal?: AbortSignal) =>
  request<Validation>("workflows/validate/", { method: "POST", body: document, signal });

export const createWorkflow = (document: unknown) =>
  request<WorkflowDetail>("workflows/", { method: "POST", body: document });

/** `ifMatch` is the ETag of the version that was edited, or `*` to save over whatever is there. */
export const saveWorkflow = (name: string, document: unknown, ifMatch: string) =>
  request<WorkflowDetail>(at(name), { method: "PUT", body: document, headers: { "If-Match": ifMatch } });

export const deleteWorkflow = (name: string) => request<void>(at(name), { method: "DELETE" });

export interface RunRequest {
  params: Record<string, unknown>;
  version?: number;
}

/** One key per press of the button: a request that is sent twice starts one run. */
export const startRun = (name: string, body: RunRequest, key: string) =>
  request<Run>(`${at(name)}runs/`, { method: "POST", body, headers: { "Idempotency-Key": key } });
