/** Where a new step goes: where it is seen, and not on top of another. */
import { needsOf, type Position, placed, type Step, type WorkflowDocument } from "./document";
import { descendantsOf, documentToGraph, GAP, NODE } from "./graph";

/** What is seen of the canvas, in the canvas's own coordinates. */
export interface Viewport {
  x: number;
  y: number;
  width: number;
  height: number;
}

const CLEAR = 16;

function overlaps(one: Position, other: Position): boolean {
  return Math.abs(one.x - other.x) < NODE.width + CLEAR && Math.abs(one.y - other.y) < NODE.height + CLEAR;
}

function seen(at: Position, view: Viewport): boolean {
  const insideX = at.x >= view.x && at.x + NODE.width <= view.x + view.width;
  return insideX && at.y >= view.y && at.y + NODE.height <= view.y + view.height;
}

/** Right of `after` when there is room; else the first free seat in view; else right of everything. */
export function seatFor(document: WorkflowDocument, view: Viewport | null, after: string | null): Position {
  const taken = documentToGraph(document).nodes;
  const free = (at: Position) => taken.every(({ position }) => !overlaps(at, position));
  const good = (at: Position) => free(at) && (!view || seen(at, view));
  const before = taken.find(({ id }) => id === after)?.position ?? taken.at(-1)?.position;
  if (before) {
    const x = before.x + NODE.width + GAP.x;
    const column = [0, 1, -1, 2, -2].map((row) => ({ x, y: before.y + row * (NODE.height + GAP.y) }));
    const seat = column.find(good);
    if (seat) return seat;
  } else if (!view) return { x: 0, y: 0 };
  const inView = view && seatsIn(view).find(free);
  if (inView) return inView;
  const right = Math.max(...taken.map(({ position }) => position.x));
  return { x: right + NODE.width + GAP.x, y: before?.y ?? 0 };
}

/** Seats of a grid inside the view, from its middle row outwards, left to right. */
function seatsIn(view: Viewport): Position[] {
  const columns = Math.max(1, Math.floor((view.width - CLEAR) / (NODE.width + GAP.x)));
  const rows = Math.max(1, Math.floor((view.height - CLEAR) / (NODE.height + GAP.y)));
  const middle = (rows - 1) / 2;
  const order = [...Array(rows).keys()].sort((a, b) => Math.abs(a - middle) - Math.abs(b - middle));
  const top = view.y + (view.height - rows * (NODE.height + GAP.y) + GAP.y) / 2;
  return order.flatMap((row) =>
    [...Array(columns).keys()].map((column) => ({
      x: view.x + 3 * CLEAR + column * (NODE.width + GAP.x),
      y: top + row * (NODE.height + GAP.y),
    })),
  );
}

/** The nearest free place to where the pointer let go, going down. */
export function seatNear(document: WorkflowDocument, at: Position): Position {
  const taken = documentToGraph(document).nodes;
  const seat = { ...at };
  while (taken.some(({ position }) => overlaps(seat, position))) seat.y += CLEAR;
  return seat;
}

/** Puts `step` between two connected steps; what comes after moves right when there is no room. */
export function insertBetween(
  document: WorkflowDocument,
  step: Step,
  source: string,
  target: string,
): WorkflowDocument {
  const places = new Map(documentToGraph(document).nodes.map(({ id, position }) => [id, position]));
  const from = places.get(source) ?? { x: 0, y: 0 };
  const to = places.get(target) ?? from;
  const room = 2 * (NODE.width + GAP.x);
  const shift = Math.max(0, room - Math.max(0, to.x - from.x));
  const moved: Record<string, Position> = {};
  if (shift > 0) {
    for (const id of [target, ...descendantsOf(document, target)]) {
      const place = places.get(id);
      if (place) moved[id] = { x: place.x + shift, y: place.y };
    }
  }
  const middle = { x: (from.x + to.x + shift) / 2, y: (from.y + to.y) / 2 };
  const steps = document.steps.flatMap((one) => {
    if (one.id !== target) return [one];
    const needs = needsOf(one).map((need) => (need === source ? step.id : need));
    return [
      { ...step, needs: [source] },
      { ...one, needs },
    ];
  });
  const wider = placed({ ...document, steps }, moved);
  return placed(wider, { [step.id]: seatNear({ ...wider, steps: document.steps }, middle) });
}
