/**
 * The document as a graph, and changes of the graph as changes of the document. Pure: no React, no store.
 * Edges are the steps' `needs`; positions are the document's `layout`, with columns for steps that have none.
 */
import {
  connect,
  disconnect,
  needsOf,
  type Position,
  placed,
  removeSteps,
  type Step,
  type WorkflowDocument,
} from "./document";

/** The size of a node, in pixels, and the room between two. */
export const NODE = { width: 240, height: 88 };
export const GAP = { x: 80, y: 40 };

export interface GraphNode {
  id: string;
  step: Step;
  position: Position;
}

export interface GraphEdge {
  id: string;
  source: string;
  target: string;
}

export interface Graph {
  nodes: GraphNode[];
  edges: GraphEdge[];
}

export type GraphChange =
  | { kind: "move"; places: Record<string, Position> }
  | { kind: "connect"; source: string; target: string }
  | { kind: "disconnect"; source: string; target: string }
  | { kind: "remove"; steps: string[]; edges: string[] };

export const edgeId = (source: string, target: string) => `${source}>${target}`;

export function edgeOf(id: string): { source: string; target: string } {
  const [source = "", target = ""] = id.split(">");
  return { source, target };
}

/** Two steps of one id make one node (the problem list tells of it); needs of unknown steps make no edge. */
export function documentToGraph(document: WorkflowDocument): Graph {
  const places = placesOf(document);
  const nodes = new Map<string, GraphNode>();
  for (const step of document.steps) {
    if (!nodes.has(step.id)) {
      nodes.set(step.id, { id: step.id, step, position: places.get(step.id) ?? { x: 0, y: 0 } });
    }
  }
  const edges = new Map<string, GraphEdge>();
  for (const { id, step } of nodes.values()) {
    for (const need of needsOf(step)) {
      if (nodes.has(need)) edges.set(edgeId(need, id), { id: edgeId(need, id), source: need, target: id });
    }
  }
  return { nodes: [...nodes.values()], edges: [...edges.values()] };
}

/** The document after a change of the graph; the same document when the change is refused. */
export function applyGraphChange(document: WorkflowDocument, change: GraphChange): WorkflowDocument {
  switch (change.kind) {
    case "move":
      return placed(settled(document), change.places);
    case "connect":
      return refusal(document, change.source, change.target)
        ? document
        : connect(document, change.source, change.target);
    case "disconnect":
      return disconnect(document, change.source, change.target);
    case "remove": {
      const cut = change.edges
        .map(edgeOf)
        .reduce((left, edge) => disconnect(left, edge.source, edge.target), document);
      return change.steps.length > 0 ? removeSteps(cut, change.steps) : cut;
    }
  }
}

/** The document with a place for every step where it stands now: the first change must not move the others. */
export function settled(document: WorkflowDocument): WorkflowDocument {
  const missing = documentToGraph(document).nodes.filter(({ id }) => !isPlace(document.layout?.[id]));
  return missing.length === 0
    ? document
    : placed(document, Object.fromEntries(missing.map(({ id, position }) => [id, position])));
}

/** Why an edge cannot be drawn, in a sentence; null when it can. */
export function refusal(document: WorkflowDocument, source: string, target: string): string | null {
  const step = document.steps.find(({ id }) => id === target);
  if (!step || !document.steps.some(({ id }) => id === source)) return "One of the two steps is not there.";
  if (source === target) return "A step cannot wait for itself.";
  if (needsOf(step).includes(source)) return `${target} waits for ${source} already.`;
  if (ancestorsOf(document, source).has(target))
    return `${source} already waits for ${target}: that would be a loop.`;
  return null;
}

/** The steps that have run when `id` starts. */
export function ancestorsOf(document: WorkflowDocument, id: string): Set<string> {
  const needs = new Map(document.steps.map((step) => [step.id, needsOf(step)]));
  return reach(id, (step) => (needs.get(step) ?? []).filter((need) => needs.has(need)));
}

/** The steps that wait for `id`, at any distance. */
export function descendantsOf(document: WorkflowDocument, id: string): Set<string> {
  const after = new Map<string, string[]>();
  for (const step of document.steps) {
    for (const need of needsOf(step)) after.set(need, [...(after.get(need) ?? []), step.id]);
  }
  return reach(id, (step) => after.get(step) ?? []);
}

function reach(start: string, next: (id: string) => string[]): Set<string> {
  const found = new Set<string>();
  const todo = [...next(start)];
  for (let id = todo.pop(); id !== undefined; id = todo.pop()) {
    if (found.has(id)) continue;
    found.add(id);
    todo.push(...next(id));
  }
  return found;
}

function isPlace(place: Position | undefined): place is Position {
  return Number.isFinite(place?.x) && Number.isFinite(place?.y);
}

/** Where each step stands: where the document says; the others in columns, below what has a place. */
function placesOf(document: WorkflowDocument): Map<string, Position> {
  const layout = document.layout ?? {};
  const places = new Map<string, Position>();
  const homeless: string[] = [];
  for (const { id } of document.steps) {
    const place = layout[id];
    if (isPlace(place)) places.set(id, place);
    else homeless.push(id);
  }
  if (homeless.length === 0) return places;
  const columns = columnsOf(document);
  const bottom = Math.max(0, ...[...places.values()].map(({ y }) => y + NODE.height + GAP.y));
  const left = places.size > 0 ? Math.min(...[...places.values()].map(({ x }) => x)) : 0;
  const rows = new Map<number, number>();
  for (const id of homeless) {
    const column = columns.get(id) ?? 0;
    const row = rows.get(column) ?? 0;
    rows.set(column, row + 1);
    places.set(id, { x: left + column * (NODE.width + GAP.x), y: bottom + row * (NODE.height + GAP.y) });
  }
  return places;
}

/** Each step's column: the longest way to it from a step that waits for none. Steps of a loop stay in 0. */
export function columnsOf(document: WorkflowDocument): Map<string, number> {
  const columns = new Map(document.steps.map(({ id }) => [id, 0]));
  const after = new Map<string, string[]>();
  const waiting = new Map<string, number>();
  for (const step of document.steps) {
    const needs = needsOf(step).filter((need) => columns.has(need));
    waiting.set(step.id, needs.length);
    for (const need of needs) after.set(need, [...(after.get(need) ?? []), step.id]);
  }
  const ready = document.steps.filter(({ id }) => waiting.get(id) === 0).map(({ id }) => id);
  for (let id = ready.pop(); id !== undefined; id = ready.pop()) {
    const next = (columns.get(id) ?? 0) + 1;
    for (const follower of after.get(id) ?? []) {
      columns.set(follower, Math.max(columns.get(follower) ?? 0, next));
      const left = (waiting.get(follower) ?? 0) - 1;
      waiting.set(follower, left);
      if (left === 0) ready.push(follower);
    }
  }
  return columns;
}
