import { Title } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { Run, Step } from "@/api/types";
import { CopyId } from "@/components/CopyId";
import { Figure, Figures } from "@/components/Figure";
import { StateBadge } from "@/components/StateBadge";
import { count, duration, shortId } from "@/format";
import { Ago, Elapsed } from "@/format/Ago";
import { RunActions } from "./actions/RunActions";
import classes from "./RunPage.module.css";

/** Which run this is, how it stands, its figures, and what one can do with it. */
export function RunHeader({ run, steps }: { run: Run; steps: Step[] }) {
  const { stats } = run;
  return (
    <header className={classes.header}>
      <div>
        <div className={classes.title}>
          <Title order={1}>
            <Link to="/workflows/$name" params={{ name: run.workflow }} className={classes.link}>
              {run.workflow}
            </Link>
          </Title>
          <span role="status">
            <StateBadge state={run.state} size="md" />
          </span>
        </div>
        <div className={classes.about}>
          <span>Version {run.version}</span>·
          <span>
            <Ago at={run.created_at} /> by {run.created_by}
          </span>
          ·<CopyId id={run.id} />
          {run.tags.map((tag) => (
            <span key={tag}>#{tag}</span>
          ))}
          <Origins run={run} />
        </div>
      </div>
      <div className={classes.side}>
        <Figures>
          <Figure label="duration" value={<Elapsed from={run.started_at} to={run.finished_at} />} />
          <Figure label="agents" value={count(stats.agents)} says="Warm agents that served this run" />
          <Figure label="leases" value={count(stats.leases)} says="Times an agent was borrowed from a pool" />
          <Figure
            label="lease p50 / p99"
            value={`${duration(stats.lease_p50_ms)} / ${duration(stats.lease_p99_ms)}`}
            says="How long leases were waited for: half of them, and all but one in a hundred, took at most this"
          />
        </Figures>
        <RunActions run={run} steps={steps} />
      </div>
    </header>
  );
}

/** Where the run comes from, when it is not a person's press of a button. */
function Origins({ run }: { run: Run }) {
  return (
    <>
      {run.parent && (
        <span>
          · part of{" "}
          <Link to="/runs/$id" params={{ id: run.parent.run }} search={{ step: run.parent.step }}>
            {run.parent.step}
          </Link>
        </span>
      )}
      {run.origin && (
        <span>
          · follows{" "}
          <Link to="/runs/$id" params={{ id: run.origin }} className="mono">
            {shortId(run.origin)}
          </Link>
        </span>
      )}
      {run.trigger && (
        <span>
          ·{" "}
          <Link to="/triggers/$id" params={{ id: run.trigger }}>
            its trigger
          </Link>
        </span>
      )}
      {run.document != null && <span>· trial of one step</span>}
    </>
  );
}
