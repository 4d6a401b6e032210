/**
 * The document as a graph, and changes of the graph as changes of the document. Pure: no React, no store.
 * Edges are the steps' `needs`, the ways of branches, and who undoes whom; positions are the document's
 * `layout`, with columns for steps that have none. A loop is one node: what is inside it is a graph of its own.
 */
import { firstFreeWay, labelOfWay, reroute, type Way, waysTo } from "./branches";
import {
  connect,
  disconnect,
  needsOf,
  type Position,
  placed,
  removeSteps,
  type Step,
  targetsOf,
  updateStep,
  type WorkflowDocument,
} from "./document";

/** The size of a node, in pixels, and the room between two. */
export const NODE = { width: 240, height: 88 };
export const GAP = { x: 80, y: 40 };
/** The room that the label of a way takes between a branch and its target. */
export const LABEL = { width: 144, height: 24 };

export interface GraphNode {
  id: string;
  step: Step;
  position: Position;
}

/**
 * `needs`: the target waits for the source; `stream`: it takes results while the source still runs; `way`: a
 * branch may choose the target; `undo`: the target undoes the source.
 */
export type EdgeKind = "needs" | "stream" | "way" | "undo";

export interface GraphEdge {
  id: string;
  source: string;
  target: string;
  kind: EdgeKind;
  /** On a way: the conditions that lead there. */
  label?: string;
  /** A way that is only taken when no case holds. */
  otherwise?: boolean;
}

export interface Graph {
  nodes: GraphNode[];
  edges: GraphEdge[];
}

export type GraphChange =
  | { kind: "move"; places: Record<string, Position> }
  | { kind: "connect"; source: string; target: string; way?: Way }
  | { kind: "disconnect"; source: string; target: string }
  | { kind: "remove"; steps: string[]; edges: string[] };

export const edgeId = (source: string, target: string) => `${source}>${target}`;
const undoId = (source: string, target: string) => `${source}~${target}`;

export function edgeOf(id: string): { source: string; target: string; undo: boolean } {
  const undo = id.includes("~");
  const [source = "", target = ""] = id.split(undo ? "~" : ">");
  return { source, target, undo };
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
      const before = nodes.get(need)?.step;
      if (before && !targetsOf(before).includes(id)) add(edges, edgeBetween(before, step));
    }
    for (const target of targetsOf(step)) if (nodes.has(target)) add(edges, wayBetween(step, target));
    if (step.compensate && nodes.has(step.compensate) && step.compensate !== id) {
      const target = step.compensate;
      add(edges, { id: undoId(id, target), source: id, target, kind: "undo" });
    }
  }
  return { nodes: [...nodes.values()], edges: [...edges.values()] };
}

function add(edges: Map<string, GraphEdge>, edge: GraphEdge): void {
  edges.set(edge.id, edge);
}

function edgeBetween(before: Step, step: Step): GraphEdge {
  const streams = step.type === "reduce" && step.streaming === true && before.type === "map";
  return {
    id: edgeId(before.id, step.id),
    source: before.id,
    target: step.id,
    kind: streams ? "stream" : "needs",
  };
}

function wayBetween(branch: Step, target: string): GraphEdge {
  const ways = waysTo(branch, target);
  return {
    id: edgeId(branch.id, target),
    source: branch.id,
    target,
    kind: "way",
    label: ways.map((way) => labelOfWay(branch, way)).join(" or "),
    otherwise: ways.every((way) => way === "else"),
  };
}

/** The document after a change of the graph; the same document when the change is refused. */
export function applyGraphChange(document: WorkflowDocument, change: GraphChange): WorkflowDocument {
  switch (change.kind) {
    case "move":
      return placed(settled(document), change.places);
    case "connect":
      return refusal(document, change.source, change.target)
        ? document
        : connected(document, change.source, change.target, change.way);
    case "disconnect":
      return cut(document, change.source, change.target);
    case "remove": {
      const left = change.edges.map(edgeOf).reduce(withoutEdge, document);
      return change.steps.length > 0 ? removeSteps(left, change.steps) : left;
    }
  }
}

/** A branch gets a way to the step; any other step is waited for. */
function connected(document: WorkflowDocument, source: string, target: string, way?: Way): WorkflowDocument {
  const from = document.steps.find(({ id }) => id === source);
  if (from?.type !== "branch") return connect(document, source, target);
  return reroute(document, source, target, [way ?? firstFreeWay(from)]);
}

function cut(document: WorkflowDocument, source: string, target: string): WorkflowDocument {
  const from = document.steps.find(({ id }) => id === source);
  const left = from && waysTo(from, target).length > 0 ? reroute(document, source, target, []) : document;
  const waits = document.steps.some((step) => step.id === target && needsOf(step).includes(source));
  return waits ? disconnect(left, source, target) : left;
}

function withoutEdge(document: WorkflowDocument, edge: ReturnType<typeof edgeOf>): WorkflowDocument {
  return edge.undo
    ? updateStep(document, edge.source, { compensate: undefined })
    : cut(document, edge.source, edge.target);
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
  const from = document.steps.find(({ id }) => id === source);
  if (from && targetsOf(from).includes(target)) return `${source} leads to ${target} already.`;
  if (needsOf(step).includes(source)) return `${target} waits for ${source} already.`;
  const undone = undoneBy(document);
  if (undone.has(source)) return `${source} only undoes ${undone.get(source)}: nothing comes after it.`;
  if (undone.has(target)) return `${target} only undoes ${undone.get(target)}: it waits for nothing else.`;
  if (ancestorsOf(document, source).has(target))
    return `${source} already waits for ${target}: that would be a loop.`;
  return null;
}

/** The steps that undo another, each with the one that it undoes. */
export function undoneBy(document: WorkflowDocument): Map<string, string> {
  const found = new Map<string, string>();
  for (const { id, compensate } of document.steps)
    if (compensate && compensate !== id) found.set(compensate, id);
  return found;
}

/** What each step waits for: the steps it names, and the branches that may choose it. Unknown ones left out. */
export function waitsOf(document: WorkflowDocument): Map<string, string[]> {
  const waits = new Map(document.steps.map((step) => [step.id, new Set<string>()]));
  for (const step of document.steps) {
    for (const need of needsOf(step)) if (waits.has(need)) waits.get(step.id)?.add(need);
    for (const target of targetsOf(step)) waits.get(target)?.add(step.id);
  }
  return new Map([...waits].map(([id, before]) => [id, [...before]]));
}

/** The steps that have run when `id` starts; for one that undoes another, that one and what came before it. */
export function ancestorsOf(document: WorkflowDocument, id: string): Set<string> {
  const waits = waitsOf(document);
  const found = reach(id, (step) => waits.get(step) ?? []);
  const undone = undoneBy(document).get(id);
  if (!undone) return found;
  return new Set([undone, ...found, ...reach(undone, (step) => waits.get(step) ?? [])]);
}

/** The steps that wait for `id`, at any distance. */
export function descendantsOf(document: WorkflowDocument, id: string): Set<string> {
  const after = new Map<string, string[]>();
  for (const [step, before] of waitsOf(document)) {
    for (const one of before) after.set(one, [...(after.get(one) ?? []), step]);
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
  const starts = startsOf(document, columns);
  const rows = new Map<number, number>();
  for (const id of homeless) {
    const column = columns.get(id) ?? 0;
    const row = rows.get(column) ?? 0;
    rows.set(column, row + 1);
    places.set(id, { x: left + (starts.get(column) ?? 0), y: bottom + row * (NODE.height + GAP.y) });
  }
  return places;
}

/** Where each column begins: one that comes after a branch leaves room for the labels of its ways. */
function startsOf(document: WorkflowDocument, columns: Map<string, number>): Map<number, number> {
  const wide = new Set<number>();
  for (const step of document.steps) {
    if (targetsOf(step).length > 0) wide.add(columns.get(step.id) ?? 0);
  }
  const starts = new Map<number, number>();
  const last = Math.max(0, ...columns.values());
  let x = 0;
  for (let column = 0; column <= last; column++) {
    starts.set(column, x);
    x += NODE.width + GAP.x + (wide.has(column) ? LABEL.width : 0);
  }
  return starts;
}

/**
 * Each step's column: the longest way to it from a step that waits for none. Steps of a circle stay in 0; one
 * that undoes another stands in the same column as that.
 */
export function columnsOf(document: WorkflowDocument): Map<string, number> {
  const columns = new Map(document.steps.map(({ id }) => [id, 0]));
  const after = new Map<string, string[]>();
  const waiting = new Map<string, number>();
  for (const [id, before] of waitsOf(document)) {
    waiting.set(id, before.length);
    for (const one of before) after.set(one, [...(after.get(one) ?? []), id]);
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
  for (const [undo, undone] of undoneBy(document)) {
    if (columns.has(undo)) columns.set(undo, columns.get(undone) ?? 0);
  }
  return columns;
}
