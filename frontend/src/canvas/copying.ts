/** Copies of steps, with ids of their own inside and out. Pure. */
import {
  addStep,
  allSteps,
  freshId,
  keeping,
  type Position,
  type Step,
  type WorkflowDocument,
} from "./document";
import { documentToGraph } from "./graph";
import { seatNear } from "./placement";
import { renamedIn } from "./renaming";
import { changedInside, inside, type Scope } from "./scope";

/** Steps that were copied, with where they stood. */
export interface Copied {
  steps: Step[];
  places: Record<string, Position>;
}

/** The steps of the open graph that have these ids, and the places of everything inside them. */
export function copied(document: WorkflowDocument, scope: Scope, ids: string[]): Copied {
  const graph = documentToGraph(inside(document, scope));
  const chosen = graph.nodes.filter(({ id }) => ids.includes(id));
  const within = chosen.flatMap(({ step }) => [...allSteps([step])].map((one) => one.step.id));
  const known = Object.entries(document.layout ?? {}).filter(([id]) => within.includes(id));
  return {
    steps: chosen.map(({ step }) => step),
    places: {
      ...Object.fromEntries(known),
      ...Object.fromEntries(chosen.map(({ id, position }) => [id, position])),
    },
  };
}

/**
 * Puts copies into the open graph. They are connected among themselves as the originals are; what they say of
 * steps that are not in this graph is left out, and no step gets a second one that undoes it.
 */
export function pasted(
  document: WorkflowDocument,
  scope: Scope,
  { steps, places }: Copied,
): { document: WorkflowDocument; ids: string[] } {
  const names = new Map<string, string>();
  for (const { step } of allSteps(steps)) names.set(step.id, freshId(document, step.id, names.values()));
  const present = new Set([...inside(document, scope).steps.map(({ id }) => id), ...names.values()]);
  const copies = steps.map((step) => {
    const renamed = [...names].reduce((one, [from, to]) => renamedIn(one, from, to), step);
    const copy = keeping(renamed, (id) => present.has(id));
    if (step.compensate && !names.has(step.compensate)) delete copy.compensate;
    return copy;
  });
  const next = changedInside(document, scope, (graph) =>
    copies.reduce((into, copy, number) => {
      const at = places[steps[number]?.id ?? ""] ?? { x: 0, y: 0 };
      return addStep(into, copy, seatNear(into, { x: at.x + 32, y: at.y + 32 }));
    }, graph),
  );
  const inner = [...names].filter(([from]) => !steps.some(({ id }) => id === from));
  const layout = { ...next.layout };
  for (const [from, to] of inner) {
    const at = places[from];
    if (at) layout[to] = at;
  }
  return { document: { ...next, layout }, ids: copies.map(({ id }) => id) };
}
