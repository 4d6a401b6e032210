/** Branches as ways that lead to steps: taking, moving and cutting them. Pure. */
import { casesOf, elseOf, type Step, type WorkflowDocument, withSteps } from "./document";

/** A case by its number, or `else`. */
export type Way = number | "else";

/** The ways of a branch that lead to a step. */
export function waysTo(branch: Step, target: string): Way[] {
  const cases = casesOf(branch).flatMap((one, number) => (one.then.includes(target) ? [number] : []));
  return elseOf(branch).includes(target) ? [...cases, "else"] : cases;
}

/** Where a new step goes when nobody says: the first way that leads nowhere yet; else the first case. */
export function firstFreeWay(branch: Step): Way {
  const empty = casesOf(branch).findIndex((one) => one.then.length === 0);
  if (empty >= 0) return empty;
  return elseOf(branch).length === 0 ? "else" : 0;
}

/** The branch with the step on exactly these ways. */
export function rerouted(branch: Step, target: string, ways: Way[]): Step {
  const on = (list: string[], chosen: boolean) => {
    if (!chosen) return list.filter((id) => id !== target);
    return list.includes(target) ? list : [...list, target];
  };
  const cases = casesOf(branch).map((one, number) => ({ ...one, then: on(one.then, ways.includes(number)) }));
  const others = on(elseOf(branch), ways.includes("else"));
  const next: Step = { ...branch, cases };
  if (others.length > 0) next.else = others;
  else delete next.else;
  return next;
}

export function reroute(
  document: WorkflowDocument,
  branch: string,
  target: string,
  ways: Way[],
): WorkflowDocument {
  return withSteps(document, (step) => (step.id === branch ? rerouted(step, target, ways) : step));
}

/** The branch leads to another step wherever it led to this one. */
export function retargeted(branch: Step, from: string, to: string): Step {
  const named = (id: string) => (id === from ? to : id);
  const next: Step = {
    ...branch,
    cases: casesOf(branch).map((one) => ({ ...one, then: one.then.map(named) })),
  };
  if (branch.else) next.else = branch.else.map(named);
  return next;
}

/** A condition as people read it: without its wrapping, and `steps.count.output` as `count`. */
export function shortCondition(when: unknown): string {
  if (typeof when !== "string") return String(when ?? "");
  const source = /^\s*\$\{([\s\S]*)\}\s*$/.exec(when)?.[1] ?? when;
  return source
    .trim()
    .replace(/\bsteps\.([A-Za-z_][\w-]*)\.output\b/g, "$1")
    .replace(/\bparams\./g, "");
}

/** What stands on an edge: the case's condition, or "else". */
export function labelOfWay(branch: Step, way: Way): string {
  if (way === "else") return "else";
  const when = casesOf(branch)[way]?.when;
  return when === true ? "always" : when === false ? "never" : shortCondition(when);
}
