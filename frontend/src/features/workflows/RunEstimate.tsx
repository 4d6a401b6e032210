import { Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { Estimate } from "@/api/types";
import { estimateOf } from "@/api/workflows";
import { duration, amount } from "@/format";

interface Props {
  workflow: string;
  version?: number;
}

/** What a run will take, by the last ones; nothing while that is not known. */
export function RunEstimate({ workflow, version }: Props) {
  const { data } = useQuery(estimateOf(workflow, version));
  if (!data) return null;
  return (
    <Text size="sm" c="dimmed">
      {inWords(data)}
    </Text>
  );
}

export function inWords(estimate: Estimate): string {
  const { duration_ms: time, agent_seconds: agents, cost, currency, runs_considered: runs } = estimate;
  if (!time) return "No run has completed yet: how long this takes is not known.";
  const parts = [`Usually takes ${between(duration(time.p50), duration(time.p95))}`];
  if (agents)
    parts.push(`${between(duration(agents.p50 * 1000), duration(agents.p95 * 1000))} of agents' time`);
  if (cost) parts.push(between(amount(cost.p50), `${amount(cost.p95)} ${currency}`, currency));
  return `${parts.join(", ")}, by the last ${runs === 1 ? "run" : `${runs} runs`}.`;
}

function between(low: string, high: string, unit = ""): string {
  const same = low === high || `${low} ${unit}` === high;
  return same ? high : `${low} to ${high}`;
}
