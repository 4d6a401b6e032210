import type { Agent, Pool } from "@/api/types";

/** Every pool and living agent of the team. `epoch` null: nothing came from the socket yet. */
export interface PoolsLive {
  seq: number | null;
  epoch: number | null;
  pools: Pool[];
  agents: Agent[];
}

export type PoolsMessage =
  | { type: "snapshot"; seq: number; epoch: number; pools: Pool[]; agents: Agent[] }
  | { type: "pool.changed"; seq: number; pool: Pool }
  | { type: "pool.removed"; seq: number; id: string; name: string }
  | { type: "agent.changed"; seq: number; agent: Agent };

type Of<T extends PoolsMessage["type"]> = Extract<PoolsMessage, { type: T }>;

/** One handler per message; pure. */
const handlers: { [T in PoolsMessage["type"]]: (live: PoolsLive, message: Of<T>) => PoolsLive } = {
  snapshot: (_live, { seq, epoch, pools, agents }) => ({ seq, epoch, pools: byName(pools), agents }),
  "pool.changed": (live, { pool }) => ({
    ...live,
    pools: byName([...live.pools.filter((old) => old.id !== pool.id), pool]),
  }),
  "pool.removed": (live, { id, name }) => {
    const pools = live.pools.filter((pool) => pool.id !== id);
    // Another team's pool of that name may stay: then its agents are not ours to forget.
    const agents = pools.some((pool) => pool.name === name)
      ? live.agents
      : live.agents.filter((agent) => agent.pool !== name);
    return { ...live, pools, agents };
  },
  "agent.changed": (live, { agent }) => ({ ...live, agents: withAgent(live.agents, agent) }),
};

export const NOTHING: PoolsLive = { seq: null, epoch: null, pools: [], agents: [] };

export function reducePools(live: PoolsLive | undefined, messages: PoolsMessage[]): PoolsLive {
  let next = live ?? NOTHING;
  for (const message of messages) {
    if (!(message.type in handlers)) continue;
    const handle = handlers[message.type] as (live: PoolsLive, message: PoolsMessage) => PoolsLive;
    next = { ...handle(next, message), seq: message.seq };
  }
  return next;
}

function byName(pools: Pool[]): Pool[] {
  return [...pools].sort((a, b) => a.name.localeCompare(b.name));
}

/** Agents keep their place; the new come last, the terminated leave. */
function withAgent(agents: Agent[], agent: Agent): Agent[] {
  if (agent.state === "terminated") return agents.filter((old) => old.id !== agent.id);
  const known = agents.some((old) => old.id === agent.id);
  return known ? agents.map((old) => (old.id === agent.id ? agent : old)) : [...agents, agent];
}
