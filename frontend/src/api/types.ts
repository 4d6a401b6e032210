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
export type Secret = Schemas["Secret"];
export type Estimate = Schemas["Estimate"];
export type RunSummary = Schemas["RunSummary"];
export type Run = Schemas["Run"];
export type RunState = RunSummary["state"];
export type Counts = Schemas["Counts"];
export type Pool = Schemas["Pool"];
export type Agent = Schemas["Agent"];
export type DeployedAgent = Omit<Schemas["DeployedAgent"], "definition"> & { definition: AgentDefinition };
export type AgentRequest = Schemas["AgentRequest"];
export type AgentRequestDetail = Schemas["AgentRequestDetail"];
export type Node = Schemas["Node"];
export type NodeCosts = Schemas["NodeCosts"];
export type NodeGroup = Schemas["Group"];
export type NodeGroups = Schemas["GroupList"];
export type NewNodeGroup = Schemas["NewGroupRequest"];
export type NodeGroupFields = Schemas["PatchedGroupFieldsRequest"];
export type Offer = Schemas["Offer"];
export type NodeGroupDecision = Schemas["GroupDecision"];
export type Machine = Schemas["Machine"];
export type NewPool = Schemas["NewPoolRequest"];
export type PoolSettings = Schemas["PatchedPoolSettingsRequest"];
export type PoolAdvice = Schemas["Advice"];
export type NewPolicy = Schemas["NewPolicyRequest"];
export type PolicyFields = Schemas["PatchedPolicyFieldsRequest"];
export type Policy = Omit<Schemas["Policy"], "values"> & { values: SetValues };
export type PolicyInForce = Omit<Schemas["PolicyInForce"], "policy" | "values"> & {
  policy: Policy | null;
  values: PolicyValues;
};
export type Preset = Omit<Schemas["Preset"], "values"> & { values: PolicyValues };
export type Replay = Omit<Schemas["Replay"], "candidates"> & { candidates: Record<string, number> };
export type Decision = Omit<Schemas["Decision"], "signals" | "candidates" | "policy"> & {
  signals: Signals;
  candidates: Record<string, number>;
  policy: PolicyValues;
};
export type NewSimulation = Schemas["NewSimulationRequest"];
export type Simulation = Schemas["Simulation"];
export type Verdict = Schemas["Verdict"];
export type Budget = Schemas["Budget"];
export type Burn = Schemas["Burn"];
export type NewBudget = Schemas["NewBudgetRequest"];
export type BudgetFields = Schemas["PatchedBudgetFieldsRequest"];
export type Spend = Schemas["Spend"];
export type SpendLine = Schemas["SpendLine"];
export type LeaseInfo = Schemas["LeaseListItem"];
export type LogLine = Schemas["LogLine"];
export type Reason = Omit<Schemas["Reason"], "facts"> & { facts: Record<string, unknown> };
export type StateValue = Schemas["Value"];
export type Firing = Schemas["Firing"];
export type Alert = Schemas["Alert"];
export type AlertChannel = Schemas["AlertChannel"];
export type AlertDelivery = Schemas["LastDelivery"];
export type NewAlertChannel = Schemas["NewChannelRequest"];
export type AddedAlertChannel = Schemas["NewChannelAnswer"];
export type AlertChannelChanges = Schemas["PatchedChannelChangesRequest"];
export type Forecast = Schemas["Forecast"];
export type Forecaster = Schemas["Standing"];
export type TeamDetail = Schemas["TeamDetail"];
export type AuditEntry = Omit<Schemas["AuditEntry"], "details"> & { details: Record<string, unknown> };

/** A policy with every field filled in. Times in seconds, utilizations and rates as shares of one. */
export interface PolicyValues {
  min: number;
  max: number;
  target_utilization: number;
  scale_up_threshold: number;
  scale_down_threshold: number;
  cooldown: number;
  up_window: number;
  down_window: number;
  dead_band: number;
  step_up: number | null;
  step_down: number | null;
  scale_up_rate: number;
  scale_down_rate: number;
  metrics: NonNullable<PolicyFields["metrics"]>;
  scale_to_zero: boolean;
  min_idle: number;
  prediction: boolean;
  predictor: NonNullable<PolicyFields["predictor"]>;
  prefer_spot: boolean;
  spot_fallback: boolean;
  max_cost_per_hour: number | null;
}

/** What a policy sets beside its preset, as people wrote it. */
export type SetValues = Partial<Omit<PolicyValues, "prediction">> & { prediction?: "on" | "off" };

/** What a decision saw of its pool. Times in seconds; `at` since the epoch. */
export interface Signals {
  at: number;
  target: number;
  ready: number;
  starting: number;
  leased: number;
  waiting: number;
  oldest_wait: number;
  arrival_rate: number;
  service_time: number | null;
  utilization: number;
  start_time: number;
  highest: number;
  lowest: number | null;
  since_up: number | null;
  watched: number;
  /** Decisions of before it was looked at have none. */
  quiet?: number;
  turns?: number;
  age: number;
  coming: number;
  coming_by: string;
  forecast: {
    floor: number;
    quantile: number;
    coverage: number;
    load: number;
    forecaster: string;
  } | null;
  affordable: number | null;
  room: number | null;
}

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

/** What would deploy an agent again; values of secrets are named, not told. */
export interface AgentDefinition {
  name: string;
  image: string | null;
  port: number;
  env: Record<string, string | { secret: string }>;
  resources: { cpu: number; memory: number };
  volumes: Record<string, unknown>[];
  network: "isolated" | "egress";
  healthCheck: { path: string; interval: number; timeout: number; retries: number } | null;
  autoRestart: boolean;
}

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

/** The failed items of a map that have one cause. */
export type FailureGroup = Omit<Schemas["Failure"], "samples"> & {
  samples: { index: number; error: Failure | null }[];
};

/** What can change of a map while it runs. */
export interface MapSettings {
  max_parallel?: number;
  error_strategy?: string;
  min_success_rate?: number;
}

export interface ScheduleConfig {
  cron: string;
  timezone?: string;
  catch_up?: "skip" | "last" | "all";
  overlap?: "skip" | "queue" | "allow";
}

export interface WebhookConfig {
  signature_header?: string | null;
  map?: Record<string, unknown> | null;
}

export interface EventConfig {
  workflow: string;
  states: string[];
  map?: Record<string, unknown> | null;
}

interface TriggerOf<Kind extends string, Config> {
  kind: Kind;
  config: Config;
}

export type Trigger = Omit<Schemas["Trigger"], "kind" | "config" | "params"> & {
  params: Record<string, unknown>;
  /** Of a webhook, in the answer that made it and in no other. */
  secret?: string;
} & (
    | TriggerOf<"schedule", ScheduleConfig>
    | TriggerOf<"webhook", WebhookConfig>
    | TriggerOf<"event", EventConfig>
  );
export type TriggerKind = Trigger["kind"];

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
