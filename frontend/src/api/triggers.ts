import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { query, request } from "./client";
import { keys } from "./keys";
import type { Firing, Page, Trigger, TriggerKind } from "./types";

const at = (id: string) => `triggers/${id}/`;

export const triggerList = (workflow: string) =>
  infiniteQueryOptions({
    queryKey: keys.triggers(workflow),
    queryFn: ({ pageParam, signal }) =>
      request<Page<Trigger>>(pageParam ?? `triggers/${query({ workflow })}`, { signal }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    refetchInterval: 5000,
  });

export const triggerDetail = (id: string) =>
  queryOptions({
    queryKey: keys.trigger(id),
    queryFn: ({ signal }) => request<Trigger>(at(id), { signal }),
    refetchInterval: 5000,
  });

export const firingList = (id: string) =>
  infiniteQueryOptions({
    queryKey: keys.firings(id),
    queryFn: ({ pageParam, signal }) => request<Page<Firing>>(pageParam ?? `${at(id)}firings/`, { signal }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    refetchInterval: 3000,
  });

/** A schedule's next moments, in its own time zone. `mark` changes with its settings. */
export const upcomingList = (id: string, count: number, mark: string) =>
  queryOptions({
    queryKey: [...keys.upcoming(id), count, mark],
    queryFn: async ({ signal }) =>
      (await request<{ results: string[] }>(`${at(id)}upcoming/${query({ count })}`, { signal })).results,
    refetchInterval: 30_000,
  });

export interface NewTrigger {
  workflow: string;
  name: string;
  kind: TriggerKind;
  config: unknown;
  params: unknown;
  enabled: boolean;
}

export type TriggerChanges = Partial<Omit<NewTrigger, "workflow" | "kind">>;

export const createTrigger = (trigger: NewTrigger) =>
  request<Trigger>("triggers/", { method: "POST", body: trigger });
export const changeTrigger = (id: string, changes: TriggerChanges) =>
  request<Trigger>(at(id), { method: "PATCH", body: changes });
export const deleteTrigger = (id: string) => request<void>(at(id), { method: "DELETE" });
export const fireTrigger = (id: string) => request<Firing>(`${at(id)}fire/`, { method: "POST", body: {} });
export const rotateSecret = (id: string) =>
  request<Trigger>(`${at(id)}rotate-secret/`, { method: "POST", body: {} });
