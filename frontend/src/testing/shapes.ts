import type {
  Agent,
  AlertChannel,
  Decision,
  Forecast,
  Machine,
  Me,
  Node,
  NodeGroup,
  PolicyInForce,
  PolicyValues,
  Pool,
  Run,
  Signals,
  Simulation,
  Step,
  Verdict,
} from "@/api/types";

const CREATED = "2026-01-20T12:00:00Z";

export function aPerson(role = "admin", username = "ada"): Me {
  const team = { slug: "default", name: "Default", role };
  return { username, team, teams: [team], staff: true };
}

export function aRun(fields: Partial<Run> = {}): Run {
  return {
    id: "019ab9d0-7a1c-7e11-8f00-0123456789ab",
    workflow: "census",
    version: 2,
    state: "running",
    params: {},
    output: null,
    error: null,
    tags: [],
    created_by: "ada",
    priority: 0,
    created_at: CREATED,
    started_at: CREATED,
    finished_at: null,
    duration_ms: null,
    cancel_requested_at: null,
    pause_requested_at: null,
    deadline: null,
    parent: null,
    origin: null,
    trigger: null,
    document: null,
    stats: { agents: 0, leases: 0, requests: 0, lease_p50_ms: null, lease_p99_ms: null },
    ...fields,
  };
}

export function aStep(id: string, fields: Partial<Step> = {}): Step {
  return {
    id,
    type: "task",
    state: "pending",
    attempts: 0,
    error: null,
    counts: { total: 0, completed: 0, failed: 0, running: 0 },
    started_at: null,
    finished_at: null,
    duration_ms: null,
    needs: [],
    pool: "python",
    reason: null,
    retry_at: null,
    due_at: null,
    progress: null,
    settings: null,
    child_run: null,
    ...fields,
  };
}

export function aPool(name: string, fields: Partial<Pool> = {}): Pool {
  return {
    id: `id-of-${name}`,
    team: "default",
    name,
    image: "agentainer/python-agent",
    commands: false,
    requirements: [],
    min_size: 1,
    max_size: 5,
    warm_up: true,
    idle_timeout: 300,
    max_uses: 100,
    preset: "balanced",
    concurrency: 1,
    max_age: 14_400,
    memory_threshold: 0.9,
    error_threshold: 5,
    health_check_interval: 30,
    graceful_shutdown: 10,
    assignment: "lifo",
    scale_down_order: "lru",
    cpu: 1,
    memory: 512 * 1024 ** 2,
    pids: 256,
    env: {},
    network: "isolated",
    isolation: "tenant",
    capacity_type: "any",
    zone: "",
    drained: false,
    price: null,
    rate: 0,
    secrets: [],
    weight: 1,
    shares: [],
    states: { starting: 0, idle: 0, active: 0, draining: 0, unhealthy: 0 },
    utilization: 0,
    waiting: 0,
    waiting_since: null,
    wait_estimate: null,
    leases: 0,
    target_size: 1,
    standby: 0,
    wait_p50_ms: null,
    wait_p99_ms: null,
    problem: null,
    problem_kind: null,
    workflow: null,
    ...fields,
  };
}

export function anAgent(id: string, pool: string, fields: Partial<Agent> = {}): Agent {
  return {
    id,
    kind: "pooled",
    pool,
    state: "idle",
    health: "ok",
    uses: 0,
    last_used: null,
    container: `container-${id}`,
    node: "here",
    started_at: CREATED,
    ended_at: null,
    end_reason: null,
    ...fields,
  };
}

export function aNode(name: string, fields: Partial<Node> = {}): Node {
  return {
    name,
    address: "10.0.0.5",
    state: "ready",
    capacity: { cpus: 4, memory: 8 * 1024 ** 3 },
    price: null,
    on_demand_price: null,
    idle_price: null,
    capacity_type: "on_demand",
    zone: "",
    agents: 0,
    note: "",
    changed_at: CREATED,
    leave_by: null,
    ...fields,
  };
}

export function aNodeGroup(name: string, fields: Partial<NodeGroup> = {}): NodeGroup {
  return {
    name,
    provider: "ec2",
    template: { image_id: "ami-0abc" },
    instance_types: [{ type: "m7g.large", on_demand_price: 0.1, interruption_risk: null, template: {} }],
    zones: [],
    min: 0,
    max: 5,
    on_demand_base: null,
    prefer_spot: true,
    spot_fallback: true,
    max_price: null,
    idle_timeout: 300,
    join_timeout: 600,
    problem: null,
    explanation: null,
    offers: [],
    machines: [],
    ...fields,
  };
}

export function aMachine(id: string, fields: Partial<Machine> = {}): Machine {
  return {
    id,
    state: "joined",
    ref: `i-${id}`,
    node: null,
    instance_type: "m7g.large",
    capacity_type: "spot",
    zone: "north",
    price: 0.03,
    on_demand_price: 0.1,
    cost: 0.5,
    requested_at: CREATED,
    leave_by: null,
    ...fields,
  };
}

export function aChannel(name: string, fields: Partial<AlertChannel> = {}): AlertChannel {
  return {
    id: `id-of-${name}`,
    name,
    kind: "email",
    target: "ops@example.org",
    kinds: [],
    enabled: true,
    created_by: "ada",
    created_at: CREATED,
    last: null,
    ...fields,
  };
}

export function aForecast(pool: string, fields: Partial<Forecast> = {}): Forecast {
  return {
    pool,
    pool_id: `id-of-${pool}`,
    on: true,
    why: "pays",
    explanation: "The forecast is a floor of the size: its loss is below that of the last value.",
    predictor: "ml-based",
    serving: "naive",
    quantile: 0.9,
    coverage: 0.93,
    horizon: 120,
    load: 5.25,
    median: 3.5,
    floor: 7,
    forecasters: [
      { name: "last", outcomes: 1440, pinball: 0.4, coverage: 0.91, problem: "" },
      { name: "naive", outcomes: 1440, pinball: 0.3, coverage: 0.93, problem: "" },
      {
        name: "ml-based",
        outcomes: 0,
        pinball: null,
        coverage: null,
        problem: "scikit-learn is not installed",
      },
    ],
    at: CREATED,
    series: [
      { at: CREATED, load: 4, forecast: 5.5, median: 3, came: 4, forecaster: "naive" },
      { at: "2026-01-20T12:01:00Z", load: 6, forecast: 5.5, median: 3, came: 6, forecaster: "naive" },
      { at: "2026-01-20T12:02:00Z", load: null, forecast: null, median: null, came: null, forecaster: null },
    ],
    ...fields,
  };
}

export function policyValues(fields: Partial<PolicyValues> = {}): PolicyValues {
  return {
    min: 1,
    max: 5,
    target_utilization: 0.7,
    scale_up_threshold: 0.8,
    scale_down_threshold: 0.3,
    cooldown: 0,
    up_window: 0,
    down_window: 60,
    dead_band: 0.15,
    step_up: null,
    step_down: null,
    scale_up_rate: 100,
    scale_down_rate: 0.25,
    metrics: ["queue_depth", "response_time", "schedule"],
    scale_to_zero: true,
    min_idle: 0,
    prediction: false,
    predictor: "naive",
    prefer_spot: false,
    spot_fallback: true,
    max_cost_per_hour: null,
    ...fields,
  };
}

export function signals(fields: Partial<Signals> = {}): Signals {
  return {
    at: Date.parse(CREATED) / 1000,
    target: 1,
    ready: 1,
    starting: 0,
    leased: 1,
    waiting: 0,
    oldest_wait: 0,
    arrival_rate: 0.5,
    service_time: 2,
    utilization: 0.5,
    start_time: 0.4,
    highest: 1,
    lowest: null,
    since_up: null,
    watched: 3600,
    age: 0,
    coming: 0,
    coming_by: "lookahead",
    forecast: null,
    affordable: null,
    room: null,
    ...fields,
  };
}

export function aDecision(id: number, fields: Partial<Decision> = {}): Decision {
  return {
    id,
    pool: "census",
    pool_id: "id-of-census",
    workflow: null,
    action: "scale_up",
    current_size: 1,
    target_size: 3,
    reason: "queue_depth",
    explanation: "1 agent at work while 2 callers wait: 3 agents are needed; from 1 to 3",
    predicted_load: null,
    signals: signals(),
    wish: 3,
    candidates: { queue_depth: 3, response_time: 2 },
    clamped_by: [],
    policy: policyValues(),
    mode: "act",
    at: CREATED,
    ...fields,
  };
}

/** What counts for a pool about which nobody wrote a policy. */
export function inForce(pool: string, fields: Partial<PolicyInForce> = {}): PolicyInForce {
  return { pool, policy: null, steered: true, mode: "act", values: policyValues(), ...fields };
}

export function aVerdict(policy: string, fields: Partial<Verdict> = {}): Verdict {
  return {
    policy,
    slo_attainment: 0.99,
    wait_p50: 0,
    wait_p95: 0.2,
    wait_p99: 1.4,
    agent_seconds: 7200,
    cost: 0.2,
    reversals_per_hour: 1.5,
    scale_up_seconds: 4,
    scale_down_seconds: null,
    forecast_coverage: null,
    interval: { slo_attainment: 0.002 },
    seeds: 3,
    ...fields,
  };
}

export function aSimulation(fields: Partial<Simulation> = {}): Simulation {
  return {
    id: "019ab9d0-7a1c-7e11-8f00-00000000aaaa",
    pool: "census",
    arrivals: "history",
    state: "completed",
    progress: { done: 6, total: 6 },
    policies: ["balanced", "fixed"],
    seeds: 3,
    currency: "USD",
    conditions: {
      hours: 24,
      service_mean: 2,
      start_time: 0.5,
      slo_wait: 1,
      mean_busy: 1.5,
      max_size: 5,
      price: 0.1,
    },
    results: [aVerdict("balanced"), aVerdict("fixed", { agent_seconds: 36_000, slo_attainment: 1, cost: 1 })],
    error: null,
    created_by: "ada",
    created_at: CREATED,
    started_at: CREATED,
    finished_at: CREATED,
    ...fields,
  };
}
