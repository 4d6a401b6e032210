/** Positions by ELK's layered algorithm, in a worker: a graph of hundreds of steps must not stop the page. */
import type { ELK, ElkNode } from "elkjs/lib/elk-api";
import { type Position, targetsOf, type WorkflowDocument } from "./document";
import { documentToGraph, GAP, LABEL, NODE, undoneBy } from "./graph";

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
  const places: Record<string, Position> = {};
  const below = undoPairs(document);
  for (const { id, x = 0, y = 0 } of children) {
    places[id] = { x, y };
    const undo = below.get(id);
    if (undo) places[undo] = { x, y: y + NODE.height + GAP.y };
  }
  return places;
}

async function inWorker(graph: ElkNode): Promise<ElkNode> {
  engine ??= start();
  return (await engine).layout(graph);
}

/** A step, the one that undoes it below, and the room that labels of ways take at its right. */
function elkGraph(document: WorkflowDocument): ElkNode {
  const { nodes, edges } = documentToGraph(document);
  const below = undoPairs(document);
  const hanging = new Set(below.values());
  const children = nodes
    .filter(({ id }) => !hanging.has(id))
    .map(({ id, step }): ElkNode => ({
      id,
      width: NODE.width + (targetsOf(step).length > 0 ? LABEL.width : 0),
      height: NODE.height + (below.has(id) ? GAP.y + NODE.height : 0),
      layoutOptions: { "elk.portConstraints": "FIXED_POS" },
      // Where the edges begin and end: beside the step itself, whatever hangs below it.
      ports: [
        { id: `${id}:in`, x: 0, y: NODE.height / 2, width: 0, height: 0 },
        {
          id: `${id}:out`,
          x: NODE.width + (targetsOf(step).length > 0 ? LABEL.width : 0),
          y: NODE.height / 2,
          width: 0,
          height: 0,
        },
      ],
    }));
  return {
    id: "workflow",
    layoutOptions: OPTIONS,
    children,
    edges: edges
      .filter(({ source, target, kind }) => kind !== "undo" && !hanging.has(source) && !hanging.has(target))
      .map(({ id, source, target }) => ({ id, sources: [`${source}:out`], targets: [`${target}:in`] })),
  };
}

/** Which step hangs below which: the one that undoes it. Not where one would hang below another that hangs. */
function undoPairs(document: WorkflowDocument): Map<string, string> {
  const undone = undoneBy(document);
  const known = new Set(document.steps.map(({ id }) => id));
  const pairs = [...undone].filter(([undo, step]) => known.has(undo) && !undone.has(step));
  return new Map(pairs.map(([undo, step]) => [step, undo]));
}
