/** Where a new step goes: where it is seen, and not on top of another. */
import { retargeted } from "./branches";
import { needsOf, type Position, placed, type Step, targetsOf, type WorkflowDocument } from "./document";
import { descendantsOf, documentToGraph, GAP, LABEL, NODE } from "./graph";

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

/** Right of `after`, or of the last step, in the nearest free row; for the first step, in view. */
export function seatFor(document: WorkflowDocument, view: Viewport | null, after: string | null): Position {
  const taken = documentToGraph(document).nodes;
  const last = taken.find(({ id }) => id === after) ?? taken.at(-1);
  const before = last?.position;
  if (!before) return view ? firstSeat(view) : { x: 0, y: 0 };
  // The way from a branch to its target carries a label.
  const gap = last.step.type === "branch" ? LABEL.width + GAP.x : GAP.x;
  const x = before.x + NODE.width + gap;
  for (let row = 0; ; row = row > 0 ? -row : 1 - row) {
    const seat = { x, y: before.y + row * (NODE.height + GAP.y) };
    if (taken.every(({ position }) => !overlaps(seat, position))) return seat;
  }
}

/** On the left, at half height: there is room for what follows. */
function firstSeat(view: Viewport): Position {
  const eighth = (value: number) => Math.round(value / 8) * 8;
  return { x: eighth(view.x + 3 * CLEAR), y: eighth(view.y + (view.height - NODE.height) / 2) };
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
  const branch = document.steps.find(({ id }) => id === source);
  const way = branch !== undefined && targetsOf(branch).includes(target);
  const steps = document.steps.flatMap((one) => {
    // A branch chooses the new step, and the old one comes after it.
    if (one.id === source && way) return [retargeted(one, target, step.id)];
    if (one.id !== target) return [one];
    const kept = needsOf(one).map((need) => (need === source ? step.id : need));
    const needs = kept.includes(step.id) ? kept : [...kept, step.id];
    return [way ? step : { ...step, needs: [source] }, { ...one, needs }];
  });
  const wider = placed({ ...document, steps }, moved);
  return placed(wider, { [step.id]: seatNear({ ...wider, steps: document.steps }, middle) });
}
