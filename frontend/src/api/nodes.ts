import { request } from "./client";
import type { Node, Page } from "./types";

export type NodeAction = "cordon" | "uncordon" | "drain";

export const getNodes = (signal?: AbortSignal) => request<Page<Node>>("nodes/", { signal });
export const actOnNode = (name: string, action: NodeAction) =>
  request<Node>(`nodes/${encodeURIComponent(name)}/${action}/`, { method: "POST" });
