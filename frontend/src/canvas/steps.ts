/**
 * The shape of steps, as the canvas edits them. The server's `workflows/domain/steps.py` is the truth; this is
 * kept loose, because drafts may have faults.
 */

/** "90s", "10m", "1h", or seconds. */
export type Duration = string | number;

export interface Retry {
  max_attempts?: number;
  backoff?: "constant" | "linear" | "exponential";
  delay?: Duration;
  max_delay?: Duration;
  jitter?: boolean;
  /** Types of errors worth another attempt; left out: all. */
  retry_on?: string[];
}

/**
 * What the agent does: exactly one of `code`, `handler` (with `bundle`), `image` (with `path`) and `command`
 * (which may name the `image` that it runs in).
 */
export interface RunSpec {
  code?: string;
  handler?: string;
  bundle?: string;
  image?: string;
  path?: string;
  /** A line for a shell, or a program and its arguments. */
  command?: string | string[];
  /** Packages that code and handlers import. */
  requirements?: string[];
}

export interface PoolOptions {
  mode?: "pooled" | "standard";
  size?: number;
  min_size?: number;
  max_size?: number;
  warm_up?: boolean;
  max_uses?: number;
  idle_timeout?: Duration;
  capacity_type?: "any" | "on_demand" | "spot";
  zone?: string;
}

export type ErrorStrategy = "fail_fast" | "continue" | "continue_on_partial";
export type RunField = "run" | "mapper" | "reducer";

/** `true`, `false`, or one expression. */
export type Condition = string | boolean;

export interface Case {
  when: Condition;
  then: string[];
}

/** A step of any type: the fields of one type are only there on steps of it. */
export interface Step {
  id: string;
  type: string;
  name?: string;
  needs?: string[];
  when?: Condition;
  always_run?: boolean;
  compensate?: string;
  // Steps that call agents.
  run?: RunSpec;
  input?: unknown;
  pool?: string | PoolOptions;
  timeout?: Duration;
  total_timeout?: Duration;
  retry?: Retry;
  error_strategy?: ErrorStrategy;
  // map, mapreduce
  over?: unknown;
  as?: string;
  max_parallel?: number;
  batch_size?: number;
  min_success_rate?: number;
  mapper?: RunSpec;
  reducer?: RunSpec;
  // reduce
  streaming?: boolean;
  // branch
  cases?: Case[];
  else?: string[];
  // loop
  steps?: Step[];
  until?: Condition;
  max_iterations?: number;
  // workflow
  workflow?: string;
  version?: number;
  params?: unknown;
  // approval
  prompt?: string;
  form?: Record<string, unknown>;
  approvers?: string[];
  on_timeout?: "reject" | "approve";
  on_reject?: "fail" | "continue";
  // wait (with `until`)
  duration?: Duration;
  event?: string;
}

export const STEP_ID = /^[A-Za-z_][A-Za-z0-9_-]{0,62}$/;

export function needsOf(step: Step): string[] {
  return step.needs ?? [];
}

/** The steps inside a loop; none for any other step. */
export function innerSteps(step: Step): Step[] {
  return step.type === "loop" && Array.isArray(step.steps) ? step.steps : [];
}

export function casesOf(step: Step): Case[] {
  return step.type === "branch" && Array.isArray(step.cases) ? step.cases : [];
}

export function elseOf(step: Step): string[] {
  return step.type === "branch" && Array.isArray(step.else) ? step.else : [];
}

/** Every step that a branch may choose, once. */
export function targetsOf(step: Step): string[] {
  if (step.type !== "branch") return [];
  return [...new Set([...casesOf(step).flatMap(({ then }) => then), ...elseOf(step)])];
}
