import type { Agent, Me, Node, Pool, Run, Step } from "@/api/types";

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
