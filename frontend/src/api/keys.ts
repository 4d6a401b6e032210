/** The names of everything in the query cache. The short ones are prefixes of the longer: for invalidation. */
export const keys = {
  me: () => ["me"] as const,
  workflows: (search?: string) =>
    search === undefined ? (["workflows"] as const) : (["workflows", "list", search] as const),
  workflow: (name: string) => ["workflows", "one", name] as const,
  estimate: (name: string, version?: number) => ["workflows", "one", name, "estimate", version] as const,
  versions: (name: string) => ["workflows", "one", name, "versions"] as const,
  version: (name: string, number: number) => ["workflows", "one", name, "versions", number] as const,
  validation: (document: unknown) => ["validation", document] as const,
  runs: (filter?: { workflow?: string; state?: string }) =>
    filter === undefined ? (["runs"] as const) : (["runs", "list", filter] as const),
  run: (id: string) => ["runs", "one", id] as const,
  runLive: (id: string) => ["runs", "one", id, "live"] as const,
  steps: (id: string) => ["runs", "one", id, "steps"] as const,
  step: (id: string, step: string) => ["runs", "one", id, "steps", step] as const,
  items: (id: string, step?: string, state?: string) =>
    [
      "runs",
      "one",
      id,
      "items",
      ...(step === undefined ? [] : [step]),
      ...(state === undefined ? [] : [state]),
    ] as const,
  failures: (id: string, step: string) => ["runs", "one", id, "failures", step] as const,
  state: (id: string) => ["runs", "one", id, "state"] as const,
  why: (id: string, step?: string, item?: number) =>
    [
      "runs",
      "one",
      id,
      "why",
      ...(step === undefined ? [] : [step]),
      ...(item === undefined ? [] : [item]),
    ] as const,
  iteration: (id: string, iteration: string) => ["runs", "one", id, "iterations", iteration] as const,
  events: (id: string) => ["runs", "one", id, "events"] as const,
  logs: (id: string, step?: string, item?: number) =>
    [
      "runs",
      "one",
      id,
      "logs",
      ...(step === undefined ? [] : [step]),
      ...(item === undefined ? [] : [item]),
    ] as const,
  pools: () => ["pools"] as const,
  agents: () => ["agents"] as const,
  deployed: () => ["deployed"] as const,
  agentRequests: (id: string) => ["deployed", id, "requests"] as const,
  agentRequest: (id: string, request: string) => ["deployed", id, "requests", request] as const,
  nodes: () => ["nodes"] as const,
  advice: (pool: string) => ["advice", pool] as const,
  nodeCosts: () => ["node-costs"] as const,
  nodeGroups: () => ["node-groups"] as const,
  nodeGroupDecisions: (name: string) => ["node-groups", "decisions", name] as const,
  leases: (pool: string) => ["leases", pool] as const,
  decisions: (filters?: { pool?: string; action?: string; reason?: string }) =>
    filters === undefined ? (["decisions"] as const) : (["decisions", "list", filters] as const),
  decision: (id: number) => ["decisions", "one", id] as const,
  decisionHistory: (pool: string, minutes: number) => ["decisions", "history", pool, minutes] as const,
  scalingLive: () => ["scaling"] as const,
  policies: () => ["policies"] as const,
  policiesInForce: () => ["policies", "in force"] as const,
  simulations: (pool?: string) =>
    pool === undefined ? (["simulations"] as const) : (["simulations", "list", pool] as const),
  simulation: (id: string) => ["simulations", "one", id] as const,
  budgets: () => ["budgets"] as const,
  burn: (id: string) => ["budgets", "burn", id] as const,
  spend: (group: string, range: string) => ["spend", group, range] as const,
  presets: () => ["presets"] as const,
  triggers: (workflow?: string) =>
    workflow === undefined ? (["triggers"] as const) : (["triggers", "list", workflow] as const),
  trigger: (id: string) => ["triggers", "one", id] as const,
  firings: (id: string) => ["triggers", "one", id, "firings"] as const,
  upcoming: (id: string) => ["triggers", "one", id, "upcoming"] as const,
  forecasts: (pool?: string) =>
    pool === undefined ? (["forecasts"] as const) : (["forecasts", pool] as const),
  alerts: (state?: string) =>
    state === undefined ? (["alerts"] as const) : (["alerts", "list", state] as const),
  alertChannels: () => ["alert-channels"] as const,
  secrets: () => ["secrets"] as const,
  team: (slug: string) => ["team", slug] as const,
  audit: (filters?: Record<string, string | undefined>) =>
    filters === undefined ? (["audit"] as const) : (["audit", filters] as const),
};
