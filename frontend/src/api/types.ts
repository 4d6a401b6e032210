/** The API's shapes, by the names the application uses; generated out of the server's OpenAPI description. */
import type { components } from "./schema";

type Schemas = components["schemas"];

export type Me = Schemas["Me"];
export type Team = Schemas["Team"];
export type WorkflowSummary = Schemas["WorkflowSummary"];
export type WorkflowDetail = Omit<Schemas["Workflow"], "document"> & { document: unknown };
export type VersionSummary = Schemas["VersionSummary"];
export type Version = Omit<Schemas["Version"], "document"> & { document: unknown };
export type Fault = Schemas["Fault"];
export type Validation = Schemas["Validation"];
export type RunSummary = Schemas["RunSummary"];
export type Run = Schemas["Run"];
export type RunState = RunSummary["state"];
export type Counts = Schemas["Counts"];
export type Pool = Schemas["Pool"];
export type Agent = Schemas["Agent"];
export type NewPool = Schemas["NewPoolRequest"];
export type PoolSettings = Schemas["PatchedPoolSettingsRequest"];
export type LogLine = Schemas["LogLine"];

export type StepState =
  | "pending"
  | "queued"
  | "running"
  | "waiting"
  | "completed"
  | "failed"
  | "skipped"
  | "cancelled"
  | "compensated";

/** Why something failed, as the engine tells it. */
export interface Failure {
  type: string;
  message: string;
  step?: string | null;
  traceback?: string | null;
}

/** A step of a run; `input` and `output` are only there when the step itself was asked for. */
export type Step = Omit<Schemas["Step"], "error" | "input" | "output" | "state" | "agent"> & {
  state: StepState;
  error: Failure | null;
  input?: unknown;
  output?: unknown;
  agent?: string | null;
};

export type Item = Omit<Schemas["Item"], "error" | "input" | "output" | "state"> & {
  state: StepState;
  error: Failure | null;
  input: unknown;
  output: unknown;
};

export interface RunEvent {
  seq: number;
  type: string;
  at: string;
  data: Record<string, unknown>;
}

export interface Page<T> {
  results: T[];
  next: string | null;
  previous: string | null;
}

/** RFC 9457 problem details. */
export interface ProblemBody {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  errors: Fault[];
}
