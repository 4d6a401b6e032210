import type { Step, WorkflowDocument } from "./document";
import { innerSteps } from "./document";
import { ancestorsOf } from "./graph";
import { inside, scopeOf } from "./scope";
import { isObject } from "./json";

export interface Suggestion {
  /** With `${` and `}`. */
  text: string;
  about: string;
}

/** What an expression of this step may name; for the workflow's output when there is no step. */
export function suggestionsFor(
  document: WorkflowDocument,
  step: Step | null,
  field: "over" | "until" | "other",
): Suggestion[] {
  const found: Suggestion[] = [];
  if (step && field === "other" && (step.type === "map" || step.type === "mapreduce")) {
    if (step.as && step.as !== "item") found.push({ text: `\${${step.as}}`, about: "the element" });
    found.push({ text: "${item}", about: "the element of the list" });
    found.push({ text: "${index}", about: "its place, from 0" });
  }
  const scope = step ? (scopeOf(document, step.id) ?? []) : [];
  if (step?.type === "loop" && field === "until") {
    for (const { id } of innerSteps(step)) found.push(outputOf(id));
    found.push({ text: "${index}", about: "the number of the round, from 0" });
    found.push({ text: "${item}", about: "what the last round gave" });
  } else if (scope.length > 0) {
    found.push({ text: "${item}", about: "what the last round of the loop gave" });
    found.push({ text: "${index}", about: "the number of the round, from 0" });
  }
  for (const id of idsBefore(document, step)) found.push(outputOf(id));
  const properties = document.params?.properties;
  for (const name of isObject(properties) ? Object.keys(properties) : []) {
    found.push({ text: `\${params.${name}}`, about: "a param of the run" });
  }
  found.push({ text: "${run.id}", about: "the id of the run" });
  const seen = new Set<string>();
  return found.filter(({ text }) => !seen.has(text) && seen.add(text));
}

function outputOf(id: string): Suggestion {
  return { text: `\${steps.${id}.output}`, about: `what ${id} gave` };
}

/** The steps that have run by then, the nearest first: those before it, then those before the loops around it. */
function idsBefore(document: WorkflowDocument, step: Step | null): string[] {
  if (!step) return document.steps.map(({ id }) => id);
  const scope = scopeOf(document, step.id) ?? [];
  const near = new Set(step.needs ?? []);
  const own = [...ancestorsOf(inside(document, scope), step.id)].sort(
    (a, b) => Number(near.has(b)) - Number(near.has(a)),
  );
  const around = scope.flatMap((loop, depth) => [
    ...ancestorsOf(inside(document, scope.slice(0, depth)), loop),
  ]);
  return [...own, ...around];
}
