import { queryOptions } from "@tanstack/react-query";
import { query, request, requestText } from "./client";
import { keys } from "./keys";
import type { Version, WorkflowDetail } from "./types";

/** One difference; `path` names steps by their ids: `steps[count].pool.size`. */
export interface Change {
  path: string;
  kind: "added" | "removed" | "changed";
  before: unknown;
  after: unknown;
}

/** What two versions differ in. */
export interface Diff {
  from: number;
  to: number;
  changes: Change[];
  steps: { added: string[]; removed: string[]; changed: string[] };
  /** Unified diff of both as YAML; null: too long for one. */
  text: string | null;
}

/** What a refused save tells of the version that is newer. */
export type Newer = Version & { etag: string };

const at = (name: string) => `workflows/${encodeURIComponent(name)}/`;

/** Versions never change, and neither does what they differ in. */
export const versionDiff = (name: string, from: number, to: number) =>
  queryOptions({
    queryKey: [...keys.versions(name), "diff", from, to],
    queryFn: ({ signal }) => request<Diff>(`${at(name)}diff/${query({ from, to })}`, { signal }),
    staleTime: Number.POSITIVE_INFINITY,
  });

/** Makes a new version of an old one; `ifMatch` is the ETag of the newest. */
export const restoreVersion = (name: string, number: number, ifMatch: string) =>
  request<WorkflowDetail>(`${at(name)}versions/${number}/restore/`, {
    method: "POST",
    headers: { "If-Match": ifMatch },
  });

export const exportVersion = (name: string, format: "yaml" | "json", version: number) =>
  requestText(`${at(name)}export/${query({ format, version })}`);
