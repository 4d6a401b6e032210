import { request } from "./client";
import type { Node, NodeCosts, Page } from "./types";

export type NodeAction = "cordon" | "uncordon" | "drain";

export const getNodes = (signal?: AbortSignal) => request<Page<Node>>("nodes/", { signal });
export const getNodeCosts = (signal?: AbortSignal) => request<NodeCosts>("node-costs/", { signal });
export const actOnNode = (name: string, action: NodeAction) =>
  request<Node>(`nodes/${encodeURIComponent(name)}/${action}/`, { method: "POST" });
