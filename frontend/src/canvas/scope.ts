/**
 * The graph that is open: the document's own steps, or those inside a loop.
 * `inside` gives the open graph in the shape of a document, so that every change of a graph works on both.
 */
import { findStep, innerSteps, type Step, type WorkflowDocument } from "./document";

/** The loops that one went into, the outermost first; empty for the document's own steps. */
export type Scope = readonly string[];

const seen = new WeakMap<WorkflowDocument, Map<string, WorkflowDocument>>();

/** The open graph as a document; the same object for the same question. */
export function inside(document: WorkflowDocument, scope: Scope): WorkflowDocument {
  if (scope.length === 0) return document;
  const views = seen.get(document) ?? new Map<string, WorkflowDocument>();
  seen.set(document, views);
  const key = scope.join("/");
  const found = views.get(key);
  if (found) return found;
  const loop = findStep(document, scope.at(-1));
  const view = { ...document, steps: loop ? innerSteps(loop) : [] };
  views.set(key, view);
  return view;
}

/** The whole document after a change of the open graph; the same document when nothing changed. */
export function changedInside(
  document: WorkflowDocument,
  scope: Scope,
  change: (graph: WorkflowDocument) => WorkflowDocument,
): WorkflowDocument {
  const before = inside(document, scope);
  const after = change(before);
  if (after === before || scope.length === 0) return after;
  return { ...document, layout: after.layout, steps: replaced(document.steps, scope, after.steps) };
}

function replaced(steps: Step[], scope: Scope, inner: Step[]): Step[] {
  const [first, ...rest] = scope;
  return steps.map((step) => {
    if (step.id !== first || step.type !== "loop") return step;
    return { ...step, steps: rest.length === 0 ? inner : replaced(innerSteps(step), rest, inner) };
  });
}

/** The loops around a step; null when there is no such step. */
export function scopeOf(document: WorkflowDocument, id: string): Scope | null {
  const search = (steps: Step[], scope: Scope): Scope | null => {
    for (const step of steps) {
      if (step.id === id) return scope;
      const found = search(innerSteps(step), [...scope, step.id]);
      if (found) return found;
    }
    return null;
  };
  return search(document.steps, []);
}

/** As much of the scope as there still is. */
export function scopeLeft(document: WorkflowDocument, scope: Scope): Scope {
  let steps = document.steps;
  for (const [depth, id] of scope.entries()) {
    const loop = steps.find((step) => step.id === id && step.type === "loop");
    if (!loop) return scope.slice(0, depth);
    steps = innerSteps(loop);
  }
  return scope;
}
