/**
 * The workflow document as the canvas edits it, and the changes one can make to it.
 * Every change is pure: it gives a new document and leaves the old one as it is, so that undo is a list of them.
 * Does not: check what the server checks (POST workflows/validate/), or know of React.
 */
import { renameInExpressions } from "./expressions";
import { isObject, without } from "./json";

export interface Retry {
  max_attempts?: number;
  backoff?: "constant" | "linear" | "exponential";
  delay?: Duration;
  max_delay?: Duration;
  jitter?: boolean;
}

/** "90s", "10m", "1h", or seconds. */
export type Duration = string | number;

/** What the agent does: exactly one of `code`, `handler` (with `bundle`) and `image` (with `path`). */
export interface RunSpec {
  code?: string;
  handler?: string;
  bundle?: string;
  image?: string;
  path?: string;
}

export interface PoolOptions {
  mode?: "pooled" | "standard";
  size?: number;
  min_size?: number;
  max_size?: number;
  warm_up?: boolean;
  max_uses?: number;
  idle_timeout?: Duration;
}

export type ErrorStrategy = "fail_fast" | "continue" | "continue_on_partial";

/** A step of any type; the fields of a map are only there on maps. Kept loose: drafts may have faults. */
export interface Step {
  id: string;
  type: string;
  name?: string;
  needs?: string[];
  run?: RunSpec;
  input?: unknown;
  pool?: string | PoolOptions;
  timeout?: Duration;
  retry?: Retry;
  over?: unknown;
  as?: string;
  max_parallel?: number;
  batch_size?: number;
  error_strategy?: ErrorStrategy;
  min_success_rate?: number;
}

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
  steps: Step[];
  output?: unknown;
  layout?: Record<string, Position>;
}

export const STEP_ID = /^[A-Za-z_][A-Za-z0-9_-]{0,62}$/;

/** The value as a document that the canvas can draw, or a sentence on why it cannot. */
export function readDocument(value: unknown): WorkflowDocument | string {
  if (!isObject(value)) return "A workflow is a JSON object with a name and steps.";
  const steps = value.steps ?? [];
  if (!Array.isArray(steps)) return "`steps` must be a list.";
  for (const [index, step] of steps.entries()) {
    if (!isObject(step)) return `steps[${index}] must be an object.`;
    if (typeof step.id !== "string" || step.id === "") return `steps[${index}] needs an id.`;
    if (step.needs !== undefined && !isListOfTexts(step.needs))
      return `steps[${index}].needs must be a list of ids.`;
    if (step.run !== undefined && !isObject(step.run)) return `steps[${index}].run must be an object.`;
  }
  if (value.layout !== undefined && !isObject(value.layout)) return "`layout` must be an object.";
  return { ...value, steps } as unknown as WorkflowDocument;
}

function isListOfTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}

export function findStep(document: WorkflowDocument, id: string | null | undefined): Step | undefined {
  return id ? document.steps.find((step) => step.id === id) : undefined;
}

export function needsOf(step: Step): string[] {
  return step.needs ?? [];
}

/** `base`, or base-2, base_3 …: the first that no step has yet. */
export function freshId(document: WorkflowDocument, base: string): string {
  const taken = new Set(document.steps.map((step) => step.id));
  const stem = base.replace(/_\d+$/, "");
  for (let number = 1; ; number++) {
    const id = number === 1 ? stem : `${stem}_${number}`;
    if (!taken.has(id)) return id;
  }
}

export function addStep(document: WorkflowDocument, step: Step, at: Position): WorkflowDocument {
  return placed({ ...document, steps: [...document.steps, step] }, { [step.id]: at });
}

/** Sets fields of one step; a field that is `undefined` is left out of the document. */
export function updateStep(document: WorkflowDocument, id: string, fields: Partial<Step>): WorkflowDocument {
  return withSteps(document, (step) => (step.id === id ? without({ ...step, ...fields }) : step));
}

/** Sets fields of the workflow itself; a field that is `undefined` is left out. */
export function updateWorkflow(
  document: WorkflowDocument,
  fields: Partial<WorkflowDocument>,
): WorkflowDocument {
  return without({ ...document, ...fields });
}

export function removeSteps(document: WorkflowDocument, ids: Iterable<string>): WorkflowDocument {
  const gone = new Set(ids);
  const steps = document.steps.filter((step) => !gone.has(step.id)).map((step) => withoutNeeds(step, gone));
  const layout = Object.fromEntries(Object.entries(document.layout ?? {}).filter(([id]) => !gone.has(id)));
  return { ...document, steps, layout };
}

function withoutNeeds(step: Step, gone: Set<string>): Step {
  if (!needsOf(step).some((need) => gone.has(need))) return step;
  return { ...step, needs: needsOf(step).filter((need) => !gone.has(need)) };
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

/** Renames a step wherever the document speaks of it: needs, layout, and `steps.ID` in expressions. */
export function renameStep(document: WorkflowDocument, from: string, to: string): WorkflowDocument {
  if (from === to) return document;
  const layout = Object.entries(document.layout ?? {}).map(([id, at]) => [id === from ? to : id, at]);
  const renamed: WorkflowDocument = {
    ...document,
    steps: document.steps.map((step) => renamedIn(step, from, to)),
    layout: Object.fromEntries(layout),
  };
  if (document.output !== undefined) renamed.output = renameInExpressions(document.output, from, to);
  return renamed;
}

/** Code and names are the author's words; everything else of a step may hold expressions. */
const NOT_EXPRESSIONS = new Set(["id", "type", "name", "needs", "run"]);

function renamedIn(step: Step, from: string, to: string): Step {
  const fields = Object.entries(step).map(([field, value]) => [
    field,
    NOT_EXPRESSIONS.has(field) ? value : renameInExpressions(value, from, to),
  ]);
  const changed = Object.fromEntries(fields) as Step;
  if (step.id === from) changed.id = to;
  if (step.needs) changed.needs = step.needs.map((need) => (need === from ? to : need));
  return changed;
}

export function placed(document: WorkflowDocument, places: Record<string, Position>): WorkflowDocument {
  const whole = Object.fromEntries(
    Object.entries(places).map(([id, { x, y }]) => [id, { x: Math.round(x), y: Math.round(y) }]),
  );
  return { ...document, layout: { ...document.layout, ...whole } };
}

function withSteps(document: WorkflowDocument, change: (step: Step) => Step): WorkflowDocument {
  return { ...document, steps: document.steps.map(change) };
}
