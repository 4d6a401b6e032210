import { Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { me } from "@/api/me";
import type { Pool } from "@/api/types";
import { Figure } from "@/components/Figure";
import { StateBadge } from "@/components/StateBadge";
import { Trouble } from "@/components/Trouble";
import { bytes, clock, count, duration, percent, plural, seconds } from "@/format";
import { useNow } from "@/format/useNow";
import { knownSince, WINDOW_MS } from "@/realtime/pools/history";
import { AdviceLine } from "./AdviceLine";
import { Agents } from "./Agents";
import { DrainedNote } from "./DrainedNote";
import { LeaseList } from "./LeaseList";
import classes from "./Pools.module.css";
import { PoolActions } from "./PoolActions";
import { SaturationNote } from "./SaturationNote";
import { Sizes } from "./Sizes";
import { CAPACITIES } from "./settings/words";
import { Sparkline } from "./Sparkline";

/** One pool: the figures that matter large, the rest below, its agents as tiles. */
export function PoolCard({ pool, chosen }: { pool: Pool; chosen: boolean }) {
  const card = useRef<HTMLElement>(null);
  const own = useQuery(me).data?.team.slug;
  useEffect(() => {
    if (chosen) card.current?.scrollIntoView({ block: "nearest" });
  }, [chosen]);
  return (
    <section ref={card} className={classes.card} aria-label={pool.name} data-chosen={chosen || undefined}>
      <header className={classes.head}>
        <div className={classes.names}>
          <Title order={2}>{pool.name}</Title>
          {pool.drained && <StateBadge state="drained" />}
          <code className={classes.image} title="The image of its agents">
            {pool.image}
            {pool.commands && " for commands"}
            {pool.requirements.length > 0 && ` with ${pool.requirements.join(", ")}`}
          </code>
          {own !== undefined && pool.team !== own && (
            <Text size="sm" c="dimmed">
              shared by {pool.team}
            </Text>
          )}
          {pool.workflow && (
            <Text size="sm" c="dimmed">
              made by{" "}
              <Link to="/workflows/$name" params={{ name: pool.workflow }} className={classes.link}>
                {pool.workflow}
              </Link>
            </Text>
          )}
        </div>
        <PoolActions pool={pool} />
      </header>
      {pool.problem && <Trouble>{pool.problem}</Trouble>}
      {pool.drained && <DrainedNote pool={pool} />}
      {!pool.drained && <SaturationNote pool={pool} />}
      <MainFigures pool={pool} />
      <figure className={classes.spark}>
        <Sparkline name={pool.name} />
        <figcaption>
          <span>
            utilization, <SinceWhen name={pool.name} />
          </span>
          <strong>{percent(pool.utilization)}</strong>
        </figcaption>
      </figure>
      <SmallFigures pool={pool} />
      {pool.team === own && <AdviceLine pool={pool} />}
      <Agents pool={pool} />
      <LeaseList pool={pool} />
    </section>
  );
}

/** The line holds what this tab has seen, five minutes at most. */
function SinceWhen({ name }: { name: string }) {
  const now = useNow("slow");
  const since = knownSince(name);
  if (since === null || now - since >= WINDOW_MS - 15_000) return "last 5 minutes";
  return `since ${clock(since).slice(0, 5)}`;
}

function MainFigures({ pool }: { pool: Pool }) {
  const { idle, active } = pool.states;
  return (
    <dl className={classes.main}>
      <Figure
        size="lg"
        label="free"
        value={count(idle)}
        says="Warm agents that wait for a lease"
        hue="green"
      />
      <Figure size="lg" label="active" value={count(active)} says="Agents that are leased now" />
      <Figure
        size="lg"
        label="waiting"
        value={count(pool.waiting)}
        says="Steps in the queue for an agent of this pool"
        hue={pool.waiting > 0 ? "amber" : undefined}
      />
    </dl>
  );
}

function SmallFigures({ pool }: { pool: Pool }) {
  return (
    <dl className={classes.small}>
      <Sizes pool={pool} />
      <Figure
        label="target"
        value={count(pool.target_size)}
        says="The size that the controller works towards"
      />
      <Figure
        label="wait p50 / p99"
        value={`${duration(pool.wait_p50_ms)} / ${duration(pool.wait_p99_ms)}`}
        says="How long leases were waited for: half of them, and all but one in a hundred, took at most this"
      />
      <Figure
        label="idle time-out"
        value={seconds(pool.idle_timeout)}
        says="An agent above the minimum ends after so long without work"
      />
      <Figure
        label="uses per agent"
        value={count(pool.max_uses)}
        says="Requests after which an agent is replaced"
      />
      <Figure
        label="warm-up"
        value={pool.warm_up ? "on" : "off"}
        says="Whether the minimum is kept warm before the first lease"
      />
      <Figure
        label="limits per agent"
        value={`${plural(pool.cpu, "core")}, ${bytes(pool.memory)}`}
        says="What the container of each agent may use"
      />
      {(pool.capacity_type !== "any" || pool.zone !== "") && (
        <Figure
          label="runs on"
          value={placeOf(pool)}
          says="The nodes that its agents may run on, by capacity type and zone"
        />
      )}
      {pool.shares.length > 0 && (
        <Figure
          label="shared with"
          value={pool.shares.map(({ team }) => team).join(", ")}
          says="Other teams that may lease agents of this pool"
        />
      )}
    </dl>
  );
}

function placeOf({ capacity_type, zone }: Pool): string {
  const kind = capacity_type === "any" ? "" : CAPACITIES.find(({ value }) => value === capacity_type)?.label;
  return [kind, zone].filter(Boolean).join(", ");
}
