import type { Step } from "@/api/types";

export interface Place {
  x: number;
  y: number;
}

/** The size of a node on the run's graph, in pixels. */
export const NODE = { width: 232, height: 96 };
const GAP = { x: 88, y: 32 };

/**
 * Where each step stands: where the document puts it, else in columns by its longest way from a start.
 * One layout for all: steps that people placed and steps that they did not would overlap.
 */
export function placesOf(
  steps: Pick<Step, "id" | "needs">[],
  layout: Record<string, Place> | undefined,
): Map<string, Place> {
  if (steps.every(({ id }) => isPlace(layout?.[id]))) {
    return new Map(steps.map(({ id }) => [id, layout?.[id] as Place]));
  }
  const columns = columnsOf(steps);
  const tallest = Math.max(0, ...columns.map((column) => column.length));
  const places = new Map<string, Place>();
  columns.forEach((column, x) => {
    column.forEach((id, y) => {
      places.set(id, {
        x: x * (NODE.width + GAP.x),
        y: (y + (tallest - column.length) / 2) * (NODE.height + GAP.y),
      });
    });
  });
  return places;
}

function columnsOf(steps: Pick<Step, "id" | "needs">[]): string[][] {
  const needs = new Map(steps.map((step) => [step.id, step.needs]));
  const depths = new Map<string, number>();
  const depthOf = (id: string): number => {
    const known = depths.get(id);
    if (known !== undefined) return known;
    depths.set(id, 0); // a cycle cannot be saved; this only keeps a bad document from looping here
    const before = (needs.get(id) ?? []).filter((need) => needs.has(need));
    const depth = before.length === 0 ? 0 : 1 + Math.max(...before.map(depthOf));
    depths.set(id, depth);
    return depth;
  };
  const columns: string[][] = [];
  for (const { id } of steps) {
    const depth = depthOf(id);
    columns[depth] = [...(columns[depth] ?? []), id];
  }
  return columns;
}

function isPlace(place: unknown): place is Place {
  const { x, y } = (place ?? {}) as Partial<Place>;
  return Number.isFinite(x) && Number.isFinite(y);
}
