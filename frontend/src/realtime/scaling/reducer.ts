import type { Decision } from "@/api/types";

/** The team's newest decisions, the newest first. `seq` null: nothing came from the socket yet. */
export interface ScalingLive {
  seq: number | null;
  decisions: Decision[];
}

export type ScalingMessage =
  | { type: "snapshot"; seq: number; decisions: Decision[] }
  | { type: "decision"; seq: number; decision: Decision };

export const NOTHING: ScalingLive = { seq: null, decisions: [] };

/** What one tab keeps of what came by the feed: of twenty busy pools, an hour and more. */
export const KEPT = 3000;

export function reduceScaling(live: ScalingLive | undefined, messages: ScalingMessage[]): ScalingLive {
  let { seq, decisions } = live ?? NOTHING;
  const fresh: Decision[] = [];
  for (const message of messages) {
    if (message.type === "snapshot") {
      decisions = message.decisions;
      fresh.length = 0;
    } else if (message.type === "decision") {
      fresh.unshift(message.decision);
    } else {
      continue;
    }
    seq = message.seq;
  }
  return { seq, decisions: [...fresh, ...decisions].slice(0, KEPT) };
}

interface Filters {
  pool?: string;
  action?: string;
  reason?: string;
}

/** Whether the decision is one of those that the list asks for, as the server would say. */
export function fits(decision: Decision, { pool, action, reason }: Filters): boolean {
  const among = (wanted: string | undefined, value: string) => !wanted || wanted.split(",").includes(value);
  return (
    (!pool || decision.pool === pool) && among(action, decision.action) && among(reason, decision.reason)
  );
}

/** Two lists as one without doubles, the newest first. */
export function merged(some: Decision[], others: Decision[]): Decision[] {
  const byId = new Map([...others, ...some].map((decision) => [decision.id, decision]));
  return [...byId.values()].sort((a, b) => b.id - a.id);
}
