/** Positions by ELK's layered algorithm, in a worker: a graph of hundreds of steps must not stop the page. */
import type { ELK, ElkNode } from "elkjs/lib/elk-api";
import type { Position, WorkflowDocument } from "./document";
import { documentToGraph, GAP, NODE } from "./graph";

const OPTIONS = {
  "elk.algorithm": "layered",
  "elk.direction": "RIGHT",
  "elk.spacing.nodeNode": String(GAP.y),
  "elk.layered.spacing.nodeNodeBetweenLayers": String(GAP.x),
  "elk.layered.nodePlacement.strategy": "BRANDES_KOEPF",
  "elk.layered.nodePlacement.bk.fixedAlignment": "BALANCED",
  "elk.layered.considerModelOrder.strategy": "NODES_AND_EDGES",
};

let engine: Promise<ELK> | null = null;

/** The engine with its worker, made when it is first needed. */
async function start(): Promise<ELK> {
  const [{ default: Elk }, { default: Worker }] = await Promise.all([
    import("elkjs/lib/elk-api"),
    import("elkjs/lib/elk-worker.min.js?worker"),
  ]);
  return new Elk({ workerFactory: () => new Worker() });
}

/** A place for every step, left to right. `layout` is given in tests, where there are no workers. */
export async function layOut(
  document: WorkflowDocument,
  layout?: (graph: ElkNode) => Promise<ElkNode>,
): Promise<Record<string, Position>> {
  const { children = [] } = await (layout ?? inWorker)(elkGraph(document));
  return Object.fromEntries(children.map(({ id, x = 0, y = 0 }) => [id, { x, y }]));
}

async function inWorker(graph: ElkNode): Promise<ElkNode> {
  engine ??= start();
  return (await engine).layout(graph);
}

function elkGraph(document: WorkflowDocument): ElkNode {
  const { nodes, edges } = documentToGraph(document);
  return {
    id: "workflow",
    layoutOptions: OPTIONS,
    children: nodes.map(({ id }) => ({ id, ...NODE })),
    edges: edges.map(({ id, source, target }) => ({ id, sources: [source], targets: [target] })),
  };
}
