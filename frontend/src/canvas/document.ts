/**
 * The workflow document as the canvas edits it, and the changes one can make to it.
 * Every change is pure: it gives a new document and leaves the old one as it is, so that undo is a list of them.
 * Changes of a graph (adding, connecting, removing) are made to the document's own steps; for those inside a
 * loop, see `scope`. Does not: check what the server checks (POST workflows/validate/), or know of React.
 */
import { isObject, without } from "./json";
import { type Duration, innerSteps, needsOf, type Retry, type Step } from "./steps";

export * from "./steps";

export interface Position {
  x: number;
  y: number;
}

export interface Defaults {
  pool?: string;
  timeout?: Duration;
  retry?: Retry;
}

export interface WorkflowDocument {
  apiVersion?: string;
  name: string;
  description?: string;
  params?: Record<string, unknown>;
  defaults?: Defaults;
  max_parallel?: number;
  max_concurrent_runs?: number;
  priority?: number;
  timeout?: Duration;
  failure_strategy?: "fail_fast" | "continue";
  steps: Step[];
  output?: unknown;
  /** By the steps' ids, which are unique in the whole document: those inside loops too. */
  layout?: Record<string, Position>;
}

/** The value as a document that the canvas can draw, or a sentence on why it cannot. */
export function readDocument(value: unknown): WorkflowDocument | string {
  if (!isObject(value)) return "A workflow is a JSON object with a name and steps.";
  const steps = value.steps ?? [];
  const fault = faultOfSteps(steps, "steps");
  if (fault) return fault;
  if (value.layout !== undefined && !isObject(value.layout)) return "`layout` must be an object.";
  return { ...value, steps } as unknown as WorkflowDocument;
}

function faultOfSteps(steps: unknown, path: string): string | null {
  if (!Array.isArray(steps)) return `\`${path}\` must be a list.`;
  for (const [index, step] of steps.entries()) {
    const fault = faultOfStep(step, `${path}[${index}]`);
    if (fault) return fault;
  }
  return null;
}

function faultOfStep(step: unknown, path: string): string | null {
  if (!isObject(step)) return `${path} must be an object.`;
  if (typeof step.id !== "string" || step.id === "") return `${path} needs an id.`;
  if (step.needs !== undefined && !isListOfTexts(step.needs)) return `${path}.needs must be a list of ids.`;
  for (const field of ["run", "mapper", "reducer"]) {
    if (step[field] !== undefined && !isObject(step[field])) return `${path}.${field} must be an object.`;
  }
  if (step.type === "branch") return faultOfBranch(step, path);
  return step.type === "loop" && step.steps !== undefined ? faultOfSteps(step.steps, `${path}.steps`) : null;
}

function faultOfBranch(step: Record<string, unknown>, path: string): string | null {
  const cases = step.cases ?? [];
  if (!Array.isArray(cases)) return `${path}.cases must be a list.`;
  const wrong = cases.findIndex((one) => !isObject(one) || !isListOfTexts(one.then));
  if (wrong >= 0) return `${path}.cases[${wrong}].then must be a list of ids.`;
  return step.else === undefined || isListOfTexts(step.else) ? null : `${path}.else must be a list of ids.`;
}

function isListOfTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}

/** Every step, those inside loops after their loop, with its JSON path. */
export function* allSteps(steps: Step[], path = "steps"): Generator<{ step: Step; path: string }> {
  for (const [index, step] of steps.entries()) {
    const here = `${path}[${index}]`;
    yield { step, path: here };
    yield* allSteps(innerSteps(step), `${here}.steps`);
  }
}

/** The step of that id, wherever it stands. */
export function findStep(document: WorkflowDocument, id: string | null | undefined): Step | undefined {
  if (!id) return undefined;
  for (const { step } of allSteps(document.steps)) if (step.id === id) return step;
  return undefined;
}

/** Where a step stands: `steps[1].steps[0]`; null when there is none of that id. */
export function pathOf(document: WorkflowDocument, id: string): string | null {
  for (const { step, path } of allSteps(document.steps)) if (step.id === id) return path;
  return null;
}

export function idsOf(document: WorkflowDocument): Set<string> {
  return new Set([...allSteps(document.steps)].map(({ step }) => step.id));
}

/** `base`, base_2, base_3 …: the first that no step has yet. `more` are ids that are about to be taken. */
export function freshId(document: WorkflowDocument, base: string, more: Iterable<string> = []): string {
  const taken = new Set([...idsOf(document), ...more]);
  const stem = base.replace(/_\d+$/, "");
  for (let number = 1; ; number++) {
    const id = number === 1 ? stem : `${stem}_${number}`;
    if (!taken.has(id)) return id;
  }
}

export function addStep(document: WorkflowDocument, step: Step, at: Position): WorkflowDocument {
  return placed({ ...document, steps: [...document.steps, step] }, { [step.id]: at });
}

/** Sets fields of one step, wherever it stands; a field that is `undefined` is left out of the document. */
export function updateStep(document: WorkflowDocument, id: string, fields: Partial<Step>): WorkflowDocument {
  const change = (step: Step): Step => {
    if (step.id === id) return without({ ...step, ...fields });
    const inner = innerSteps(step);
    return inner.length > 0 ? kept(step, inner.map(change)) : step;
  };
  return { ...document, steps: document.steps.map(change) };
}

/** The loop with other steps inside; the same when they are the same. */
function kept(step: Step, inner: Step[]): Step {
  return inner.every((one, place) => one === step.steps?.[place]) ? step : { ...step, steps: inner };
}

/** Sets fields of the workflow itself; a field that is `undefined` is left out. */
export function updateWorkflow(
  document: WorkflowDocument,
  fields: Partial<WorkflowDocument>,
): WorkflowDocument {
  return without({ ...document, ...fields });
}

/** Takes steps away, and their names out of what the others say of them. */
export function removeSteps(document: WorkflowDocument, ids: Iterable<string>): WorkflowDocument {
  const gone = new Set(ids);
  const leaving = document.steps.filter((step) => gone.has(step.id));
  const homeless = new Set([...allSteps(leaving)].map(({ step }) => step.id));
  const steps = document.steps
    .filter((step) => !gone.has(step.id))
    .map((step) => keeping(step, (id) => !gone.has(id)));
  if (!document.layout) return { ...document, steps };
  const layout = Object.fromEntries(Object.entries(document.layout).filter(([id]) => !homeless.has(id)));
  return { ...document, steps, layout };
}

/** The step, naming only such others as stay. */
export function keeping(step: Step, stays: (id: string) => boolean): Step {
  const next: Step = { ...step };
  if (!needsOf(step).every(stays)) next.needs = needsOf(step).filter(stays);
  if (step.compensate && !stays(step.compensate)) delete next.compensate;
  if (step.type === "branch") {
    if (step.cases) next.cases = step.cases.map((one) => ({ ...one, then: one.then.filter(stays) }));
    if (step.else) next.else = step.else.filter(stays);
    if (next.else?.length === 0) delete next.else;
  }
  return next;
}

export function connect(document: WorkflowDocument, source: string, target: string): WorkflowDocument {
  return withSteps(document, (step) =>
    step.id === target && !needsOf(step).includes(source)
      ? { ...step, needs: [...needsOf(step), source] }
      : step,
  );
}

export function disconnect(document: WorkflowDocument, source: string, target: string): WorkflowDocument {
  return withSteps(document, (step) =>
    step.id === target ? { ...step, needs: needsOf(step).filter((need) => need !== source) } : step,
  );
}

export function placed(document: WorkflowDocument, places: Record<string, Position>): WorkflowDocument {
  const whole = Object.fromEntries(
    Object.entries(places).map(([id, { x, y }]) => [id, { x: Math.round(x), y: Math.round(y) }]),
  );
  return { ...document, layout: { ...document.layout, ...whole } };
}

export function withSteps(document: WorkflowDocument, change: (step: Step) => Step): WorkflowDocument {
  return { ...document, steps: document.steps.map(change) };
}
