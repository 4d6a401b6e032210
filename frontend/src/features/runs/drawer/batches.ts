import { count } from "@/format";
import { useRunLive } from "@/realtime/run/useRunFeed";
import { pathOf, useDefinitions } from "../useDefinition";

/** How many items one call takes; null when each has a call of its own. */
export function useBatchSize(id: string, step: string): number | null {
  const size = useDefinitions(useRunLive(id).data?.run).get(pathOf(step))?.batch_size;
  return typeof size === "number" && size > 1 ? size : null;
}

export function batchTold(size: number): string {
  return `Of the whole call: it took up to ${count(size)} items at once`;
}
