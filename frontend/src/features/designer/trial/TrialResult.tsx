import { Group, Skeleton, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { stepDetail } from "@/api/runs";
import { trialLogs } from "@/api/trials";
import type { Failure, Step } from "@/api/types";
import { ErrorNote } from "@/components/ErrorNote";
import { JsonView } from "@/components/JsonView";
import { StateBadge } from "@/components/StateBadge";
import { plural } from "@/format";
import { Elapsed } from "@/format/Ago";
import { useRunFeed, useRunLive } from "@/realtime/run/useRunFeed";
import classes from "./TrialResult.module.css";

/** How a trial stands, and what it gave, as it comes. */
export function TrialResult({ run: id, step: stepId }: { run: string; step: string }) {
  useRunFeed(id);
  const live = useRunLive(id);
  if (live.error) return <ErrorNote error={live.error} onRetry={() => void live.refetch()} />;
  if (!live.data) return <Skeleton h={96} />;
  const { run, steps } = live.data;
  const step = steps.find((one) => one.id === stepId);
  const failure = (step?.error ?? run.error) as Failure | null;
  const over = run.finished_at !== null;
  return (
    <section className={classes.result} aria-label="Result of the trial">
      <Group gap={12}>
        <span role="status">
          <StateBadge state={step?.state ?? run.state} />
        </span>
        <Text size="sm" c="dimmed">
          <Elapsed from={run.started_at ?? run.created_at} to={run.finished_at} />
          {step && step.counts.total > 1 && ` · ${plural(step.counts.total, "item")}`}
        </Text>
      </Group>
      {failure && <FailureBox failure={failure} />}
      {step && over && !failure && <OutputOf run={id} step={step} />}
      <Logs run={id} step={stepId} live={!over} />
    </section>
  );
}

function FailureBox({ failure }: { failure: Failure }) {
  return (
    <div className={classes.failure} role="alert">
      <b>{failure.type}</b>
      <div>{failure.message}</div>
      {failure.traceback && <pre tabIndex={0}>{failure.traceback}</pre>}
    </div>
  );
}

function OutputOf({ run, step }: { run: string; step: Step }) {
  const { data, error, refetch } = useQuery(stepDetail(run, step.id, step.state));
  if (error) return <ErrorNote error={error} onRetry={() => void refetch()} />;
  return (
    <div>
      <h3 className={classes.heading}>Output</h3>
      {data ? <JsonView label="output" value={data.output ?? null} /> : <Skeleton h={48} />}
    </div>
  );
}

function Logs({ run, step, live }: { run: string; step: string; live: boolean }) {
  const { data: lines = [] } = useQuery(trialLogs(run, step, live));
  return (
    <div>
      <h3 className={classes.heading}>Logs</h3>
      {lines.length === 0 ? (
        <Text size="sm" c="dimmed">
          {live ? "Nothing printed yet." : "It printed nothing."}
        </Text>
      ) : (
        <pre className={classes.logs} tabIndex={0}>
          {lines.map((line) => line.text).join("\n")}
        </pre>
      )}
    </div>
  );
}
