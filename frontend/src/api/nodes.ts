import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { request } from "./client";
import { keys } from "./keys";
import type {
  NewNodeGroup,
  Node,
  NodeCosts,
  NodeGroup,
  NodeGroupDecision,
  NodeGroupFields,
  NodeGroups,
  Page,
} from "./types";

export type NodeAction = "cordon" | "uncordon" | "drain";

/** Prices of spot capacity change by the minute at most. */
export const nodeCosts = queryOptions({
  queryKey: keys.nodeCosts(),
  queryFn: ({ signal }) => request<NodeCosts>("node-costs/", { signal }),
  refetchInterval: 10_000,
});

export const getNodes = (signal?: AbortSignal) => request<Page<Node>>("nodes/", { signal });
export const actOnNode = (name: string, action: NodeAction) =>
  request<Node>(`nodes/${encodeURIComponent(name)}/${action}/`, { method: "POST" });

/** As often as the controller looks at the groups. */
const GROUPS_EVERY_MS = 5000;
const DECISIONS_SHOWN = 5;

export const nodeGroupList = queryOptions({
  queryKey: keys.nodeGroups(),
  queryFn: ({ signal }) => request<NodeGroups>("node-groups/", { signal }),
  refetchInterval: GROUPS_EVERY_MS,
});

const groupAt = (name: string) => `node-groups/${encodeURIComponent(name)}/`;

/** What was done about a group, the newest first. */
export const nodeGroupDecisions = (name: string) =>
  infiniteQueryOptions({
    queryKey: keys.nodeGroupDecisions(name),
    queryFn: ({ pageParam, signal }) =>
      request<Page<NodeGroupDecision>>(pageParam ?? `${groupAt(name)}decisions/?limit=${DECISIONS_SHOWN}`, {
        signal,
      }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    refetchInterval: GROUPS_EVERY_MS,
  });

export const createNodeGroup = (group: NewNodeGroup) =>
  request<NodeGroup>("node-groups/", { method: "POST", body: group });
export const changeNodeGroup = (name: string, changes: NodeGroupFields) =>
  request<NodeGroup>(groupAt(name), { method: "PATCH", body: changes });
export const deleteNodeGroup = (name: string) => request<void>(groupAt(name), { method: "DELETE" });
