import type { Step, WorkflowDocument } from "./document";
import { ancestorsOf } from "./graph";
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
  field: "over" | "other",
): Suggestion[] {
  const found: Suggestion[] = [];
  const before = step ? ancestorsOf(document, step.id) : new Set(document.steps.map(({ id }) => id));
  const near = new Set(step?.needs ?? []);
  const ids = [...before].sort((a, b) => Number(near.has(b)) - Number(near.has(a)));
  for (const id of ids) found.push({ text: `\${steps.${id}.output}`, about: `what ${id} gave` });
  const properties = document.params?.properties;
  for (const name of isObject(properties) ? Object.keys(properties) : []) {
    found.push({ text: `\${params.${name}}`, about: "a param of the run" });
  }
  if (step?.type === "map" && field === "other") {
    found.unshift({ text: "${item}", about: "the element of the list" });
    found.splice(1, 0, { text: "${index}", about: "its place, from 0" });
    if (step.as && step.as !== "item") found.splice(1, 0, { text: `\${${step.as}}`, about: "the element" });
  }
  found.push({ text: "${run.id}", about: "the id of the run" });
  return found;
}
