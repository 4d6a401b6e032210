import { request } from "./client";
import type { Agent, NewPool, Page, Pool, PoolSettings } from "./types";

const at = (name: string) => `pools/${encodeURIComponent(name)}/`;

export const getPools = (signal?: AbortSignal) => request<Page<Pool>>("pools/", { signal });
export const getAgents = (signal?: AbortSignal) => request<Page<Agent>>("agents/", { signal });
export const createPool = (pool: NewPool) => request<Pool>("pools/", { method: "POST", body: pool });
export const updatePool = (name: string, settings: PoolSettings) =>
  request<Pool>(at(name), { method: "PATCH", body: settings });
export const resizePool = (name: string, sizes: { min_size: number; max_size: number }) =>
  request<Pool>(`${at(name)}resize/`, { method: "POST", body: sizes });
export const deletePool = (name: string) => request<void>(at(name), { method: "DELETE" });
