/** Renaming a step wherever the document speaks of it. Pure. */
import { innerSteps, type Step, type WorkflowDocument } from "./document";
import { renameInExpressions } from "./expressions";

/** In needs, cases, `compensate`, the layout, and `steps.ID` in expressions, inside loops and out. */
export function renameStep(document: WorkflowDocument, from: string, to: string): WorkflowDocument {
  if (from === to) return document;
  const renamed: WorkflowDocument = {
    ...document,
    steps: document.steps.map((step) => renamedIn(step, from, to)),
  };
  if (document.layout) {
    const places = Object.entries(document.layout).map(([id, at]) => [id === from ? to : id, at]);
    renamed.layout = Object.fromEntries(places);
  }
  if (document.output !== undefined) renamed.output = renameInExpressions(document.output, from, to);
  return renamed;
}

/** Code and names are the author's words, a form is a schema; everything else of a step may hold expressions. */
const NOT_EXPRESSIONS = new Set([
  "id",
  "type",
  "name",
  "needs",
  "run",
  "mapper",
  "reducer",
  "compensate",
  "cases",
  "else",
  "form",
]);

/** The step, and those inside it, with one id changed for another. */
export function renamedIn(step: Step, from: string, to: string): Step {
  const named = (id: string) => (id === from ? to : id);
  const fields = Object.entries(step).map(([field, value]) => [
    field,
    NOT_EXPRESSIONS.has(field) || (field === "steps" && step.type === "loop")
      ? value
      : renameInExpressions(value, from, to),
  ]);
  const changed = Object.fromEntries(fields) as Step;
  changed.id = named(step.id);
  if (step.needs) changed.needs = step.needs.map(named);
  if (step.compensate) changed.compensate = named(step.compensate);
  if (step.type === "branch") {
    if (step.else) changed.else = step.else.map(named);
    if (step.cases) {
      changed.cases = step.cases.map((one) => ({
        ...one,
        when: renameInExpressions(one.when, from, to),
        then: one.then.map(named),
      }));
    }
  }
  const inner = innerSteps(step);
  if (inner.length > 0) changed.steps = inner.map((one) => renamedIn(one, from, to));
  return changed;
}
