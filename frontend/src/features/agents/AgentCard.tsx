import { Tabs, Title } from "@mantine/core";
import { useState } from "react";
import type { DeployedAgent } from "@/api/types";
import { CopyId } from "@/components/CopyId";
import { Figure } from "@/components/Figure";
import { StateBadge } from "@/components/StateBadge";
import { Trouble } from "@/components/Trouble";
import { count } from "@/format";
import { Ago } from "@/format/Ago";
import { AgentActions } from "./AgentActions";
import classes from "./Agents.module.css";
import { AskAgent } from "./AskAgent";
import { LogView } from "./LogView";
import { Requests } from "./Requests";
import { Usage } from "./Usage";

/** One deployed agent; what lies behind a tab is asked for when it is opened. */
export function AgentCard({ agent }: { agent: DeployedAgent }) {
  const [tab, setTab] = useState<string | null>(null);
  return (
    <section className={classes.card} aria-label={agent.name}>
      <header className={classes.head}>
        <div className={classes.names}>
          <Title order={2}>{agent.name}</Title>
          <StateBadge state={agent.state} />
          {agent.state === "running" && agent.health !== "ok" && (
            <span data-hue={agent.health === "failing" ? "red" : "blue"} className={classes.health}>
              {agent.health === "failing" ? "not well" : "not ready yet"}
            </span>
          )}
          <code className={classes.image}>{agent.image}</code>
          <CopyId id={agent.id} />
        </div>
        <AgentActions agent={agent} />
      </header>
      {agent.problem && <Trouble>{agent.problem}</Trouble>}
      <dl className={classes.figures}>
        <Figure label="answered" value={count(agent.uses)} says="Requests that it answered" />
        <Figure
          label="waiting"
          value={count(agent.pending)}
          says="Requests that are delivered when it is back"
          hue={agent.pending > 0 ? "amber" : undefined}
        />
        <Figure label="last asked" value={<Ago at={agent.last_used} />} />
        <Figure label="started" value={<Ago at={agent.started_at} />} />
        <Figure
          label="restarts"
          value={count(agent.restarts)}
          says="That nobody asked for"
          hue={agent.restarts > 0 ? "amber" : undefined}
        />
        <Limits agent={agent} />
        {agent.definition.network === "egress" && (
          <Figure label="network" value="outside too" says="It may call other machines" />
        )}
      </dl>
      <Tabs value={tab} onChange={(next) => setTab(next === tab ? null : next)} allowTabDeactivation>
        <Tabs.List aria-label={`More of ${agent.name}`}>
          <Tabs.Tab value="log">Log</Tabs.Tab>
          <Tabs.Tab value="usage">Usage</Tabs.Tab>
          <Tabs.Tab value="requests">Requests</Tabs.Tab>
          <Tabs.Tab value="ask">Ask</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="log">{tab === "log" && <LogView id={agent.id} />}</Tabs.Panel>
        <Tabs.Panel value="usage">{tab === "usage" && <Usage id={agent.id} />}</Tabs.Panel>
        <Tabs.Panel value="requests">{tab === "requests" && <Requests id={agent.id} />}</Tabs.Panel>
        <Tabs.Panel value="ask">{tab === "ask" && <AskAgent agent={agent} />}</Tabs.Panel>
      </Tabs>
    </section>
  );
}

function Limits({ agent }: { agent: DeployedAgent }) {
  const { cpu, memory } = agent.definition.resources;
  return <Figure label="limits" value={`${cpu} CPU, ${bytes(memory)}`} says="It gets no more than this" />;
}

/** Bytes for people: 512 MB, 1.1 GB. */
export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  if (value < 1000) return `${value} B`;
  const units = ["kB", "MB", "GB", "TB"];
  let size = value / 1000;
  let unit = 0;
  while (size >= 999.5 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${size < 10 ? size.toFixed(1) : Math.round(size)} ${units[unit]}`;
}
