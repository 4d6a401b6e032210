import { useQuery } from "@tanstack/react-query";
import type { Run, Step } from "@/api/types";
import { versionDetail } from "@/api/workflows";
import type { Position, WorkflowDocument } from "@/canvas/document";
import { documentToGraph, type GraphNode } from "@/canvas/graph";
import { isObject } from "@/canvas/json";
import { layOut } from "@/canvas/layout";
import { useDefinitions } from "../useDefinition";
import { edgesOf, orderOf, type RunEdge } from "./edges";

const LAYOUT_MS = 3000;

export interface RunGraphShape {
  nodes: GraphNode[];
  edges: RunEdge[];
}

/**
 * The run's steps as a graph. Where people placed every step, they stand as in the designer; else the layered
 * layout places all of them, since some of each would overlap. Null until the places are known.
 */
export function useRunGraph(run: Run, steps: Step[]): RunGraphShape | null {
  const saved = useQuery({
    ...versionDetail(run.workflow, run.version),
    enabled: !run.document,
    // A workflow that was deleted since: the steps know enough to be drawn.
    retry: false,
  });
  const definitions = useDefinitions(run);
  const order = orderOf(steps, definitions);
  const layout = layoutIn(run.document ?? saved.data?.document);
  const placed = steps.every(({ id }) => layout?.[id]);
  const automatic = useQuery({
    queryKey: ["layout", [...order]],
    queryFn: () => Promise.race([layOut(drawn(steps, order, undefined)), tooLong()]),
    enabled: (Boolean(run.document) || !saved.isPending) && !placed,
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  });
  // Columns do where the layout engine is not to be had in time.
  if (!placed && !automatic.data && !automatic.isError) return null;
  const { nodes } = documentToGraph(drawn(steps, order, placed ? layout : automatic.data));
  return { nodes, edges: edgesOf(steps, definitions) };
}

function tooLong(): Promise<never> {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error("The layout took too long.")), LAYOUT_MS);
  });
}

function drawn(
  steps: Step[],
  order: Map<string, string[]>,
  layout: Record<string, Position> | undefined,
): WorkflowDocument {
  return {
    name: "run",
    steps: steps.map(({ id, type }) => ({ id, type, needs: order.get(id) ?? [] })),
    layout,
  };
}

function layoutIn(document: unknown): Record<string, Position> | undefined {
  const layout = isObject(document) ? document.layout : undefined;
  return isObject(layout) ? (layout as unknown as Record<string, Position>) : undefined;
}
