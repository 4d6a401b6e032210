import { useQuery } from "@tanstack/react-query";
import type { Step } from "@/api/types";
import { versionDetail } from "@/api/workflows";
import type { Position, WorkflowDocument } from "@/canvas/document";
import { documentToGraph, type Graph } from "@/canvas/graph";
import { layOut } from "@/canvas/layout";

const LAYOUT_MS = 3000;

/**
 * The run's steps as a graph. Where people placed every step, they stand as in the designer; else the layered
 * layout places all of them, since some of each would overlap. Null until the places are known.
 */
export function useRunGraph(workflow: string, version: number, steps: Step[]): Graph | null {
  const saved = useQuery({
    ...versionDetail(workflow, version),
    // A workflow that was deleted since: the steps know enough to be drawn.
    retry: false,
  });
  const document = drawn(steps, layoutIn(saved.data?.document));
  const placed = steps.every(({ id }) => document.layout?.[id]);
  const automatic = useQuery({
    queryKey: ["layout", steps.map(({ id, needs }) => [id, needs])],
    queryFn: () => Promise.race([layOut(drawn(steps, undefined)), tooLong()]),
    enabled: !saved.isPending && !placed,
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  });
  if (placed) return documentToGraph(document);
  if (automatic.data) return documentToGraph(drawn(steps, automatic.data));
  // Columns do where the layout engine is not to be had in time.
  return automatic.isError ? documentToGraph(drawn(steps, undefined)) : null;
}

function tooLong(): Promise<never> {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error("The layout took too long.")), LAYOUT_MS);
  });
}

function drawn(steps: Step[], layout: Record<string, Position> | undefined): WorkflowDocument {
  return { name: "run", steps: steps.map(({ id, type, needs }) => ({ id, type, needs })), layout };
}

function layoutIn(document: unknown): Record<string, Position> | undefined {
  const layout = (document as { layout?: unknown } | undefined)?.layout;
  return layout && typeof layout === "object" ? (layout as Record<string, Position>) : undefined;
}
