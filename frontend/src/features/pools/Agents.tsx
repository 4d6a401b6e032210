import { Tooltip } from "@mantine/core";
import { memo } from "react";
import type { Agent, Pool } from "@/api/types";
import { StateIcon } from "@/components/StateBadge";
import { lookOf } from "@/components/states";
import { ago, count, plural, shortId } from "@/format";
import { usePools } from "@/realtime/pools/usePoolsFeed";
import classes from "./Pools.module.css";

/** A pool's agents as tiles, and how many there are of each state. */
export function Agents({ pool }: { pool: Pool }) {
  const agents = (usePools().data?.agents ?? []).filter((agent) => agent.pool === pool.name);
  const states = Object.entries(pool.states).filter(([, agents]) => agents > 0);
  if (agents.length === 0) {
    return <p className={classes.none}>{noneBecause(pool)}</p>;
  }
  return (
    <footer className={classes.agents}>
      <ul className={classes.tiles} aria-label={`Agents of ${pool.name}`}>
        {agents.map((agent) => (
          <Tile key={agent.id} agent={agent} />
        ))}
      </ul>
      <p className={classes.legend}>
        {states.map(([state, agents]) => (
          <span key={state} data-hue={lookOf(state).hue} title={lookOf(state).says}>
            <StateIcon state={state} /> {count(agents)} {lookOf(state).word}
          </span>
        ))}
      </p>
    </footer>
  );
}

function noneBecause(pool: Pool): string {
  if (pool.drained) return "No agents now: they start when the pool is resumed.";
  return pool.min_size > 0 && pool.warm_up
    ? "No agents yet; the first are on their way."
    : "No agents now: they start when the first step asks for one.";
}

const Tile = memo(function Tile({ agent }: { agent: Agent }) {
  const look = lookOf(agent.state);
  return (
    <Tooltip label={<Details agent={agent} />} multiline>
      <li
        className={classes.tile}
        data-hue={look.hue}
        data-state={agent.state}
        aria-label={`Agent ${shortId(agent.id)}, ${look.word}, ${plural(agent.uses, "use")}`}
      />
    </Tooltip>
  );
});

function Details({ agent }: { agent: Agent }) {
  const lines: [string, string][] = [
    ["Agent", shortId(agent.id)],
    ["State", lookOf(agent.state).word],
    ["Health", agent.health],
    ["Uses", count(agent.uses)],
    ["Last used", agent.last_used ? ago(agent.last_used) : "never"],
    ["Started", ago(agent.started_at)],
    ["Container", agent.container],
    ["Node", agent.node],
  ];
  return (
    <span className={classes.details}>
      {lines.map(([name, value]) => (
        <span key={name} className={classes.detail}>
          <span>{name}</span>
          <span>{value || "–"}</span>
        </span>
      ))}
    </span>
  );
}
