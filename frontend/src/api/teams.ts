import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { query, request } from "./client";
import { keys } from "./keys";
import type { AuditEntry, Page, Secret, TeamDetail } from "./types";

const at = (slug: string) => `teams/${encodeURIComponent(slug)}/`;

export const teamDetail = (slug: string) =>
  queryOptions({
    queryKey: keys.team(slug),
    queryFn: ({ signal }) => request<TeamDetail>(at(slug), { signal }),
  });

export interface TeamChanges {
  name?: string;
  max_concurrent_runs?: number | null;
  retention_days?: number | null;
}

export const changeTeam = (slug: string, changes: TeamChanges) =>
  request<TeamDetail>(at(slug), { method: "PATCH", body: changes });

export const secretList = () =>
  queryOptions({
    queryKey: keys.secrets(),
    queryFn: ({ signal }) => request<Page<Secret>>("secrets/", { signal }),
  });

export const setSecret = (name: string, value: string) =>
  request<Secret>(`secrets/${encodeURIComponent(name)}/`, { method: "PUT", body: { value } });

export const deleteSecret = (name: string) =>
  request<void>(`secrets/${encodeURIComponent(name)}/`, { method: "DELETE" });

export interface AuditFilters {
  actor?: string;
  action?: string;
  target?: string;
}

export const auditList = (filters: AuditFilters) =>
  infiniteQueryOptions({
    queryKey: keys.audit({ ...filters }),
    queryFn: ({ pageParam, signal }) =>
      request<Page<AuditEntry>>(pageParam ?? `audit/${query({ ...filters })}`, { signal }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    refetchInterval: 10_000,
  });
