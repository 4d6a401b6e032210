import { queryOptions } from "@tanstack/react-query";
import { query, request } from "./client";
import { keys } from "./keys";
import type { Agent, LeaseInfo, NewPool, Page, Pool, PoolAdvice, PoolSettings } from "./types";

const at = (name: string) => `pools/${encodeURIComponent(name)}/`;

export const getPools = (signal?: AbortSignal) => request<Page<Pool>>("pools/", { signal });
export const getAgents = (signal?: AbortSignal) => request<Page<Agent>>("agents/", { signal });
export const createPool = (pool: NewPool) => request<Pool>("pools/", { method: "POST", body: pool });
export const updatePool = (name: string, settings: PoolSettings) =>
  request<Pool>(at(name), { method: "PATCH", body: settings });
export const resizePool = (name: string, sizes: { min_size: number; max_size: number }) =>
  request<Pool>(`${at(name)}resize/`, { method: "POST", body: sizes });
export const deletePool = (name: string) => request<void>(at(name), { method: "DELETE" });

/** The team's live leases of a pool, asked for again every few seconds while somebody looks. */
export const leaseList = (pool: string) =>
  queryOptions({
    queryKey: keys.leases(pool),
    queryFn: async ({ signal }) =>
      (await request<Page<LeaseInfo>>(`leases/${query({ pool })}`, { signal })).results,
    refetchInterval: 3000,
  });

const act = (name: string, verb: string, body: unknown = {}) =>
  request<Pool>(`${at(name)}${verb}/`, { method: "POST", body });

/** Starts agents now, up to `size` in all. */
export const warmPool = (name: string, size: number) => act(name, "warm", { size });
/** Nobody gets a lease until it is resumed; leases that are left after `within` seconds are ended. */
export const drainPool = (name: string, within: number | null) => act(name, "drain", { within });
export const resumePool = (name: string) => act(name, "resume");
/** Replaces every agent: free ones now, leased ones after their lease. */
export const recyclePool = (name: string) => act(name, "recycle");
/** What its agents really need of CPU and memory; it changes with each minute of use. */
export const poolAdvice = (pool: string) =>
  queryOptions({
    queryKey: keys.advice(pool),
    queryFn: ({ signal }) => request<PoolAdvice>(`${at(pool)}advice/`, { signal }),
    refetchInterval: 60_000,
  });
export const applyAdvice = (name: string) => act(name, "advice/apply");
