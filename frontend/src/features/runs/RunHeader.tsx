import { Button, Group, Text, Title } from "@mantine/core";
import { modals } from "@mantine/modals";
import { notifications } from "@mantine/notifications";
import { IconPlayerPlay, IconPlayerStop } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { keys } from "@/api/keys";
import { cancelRun } from "@/api/runs";
import type { Run } from "@/api/types";
import { startRun } from "@/api/workflows";
import { CopyId } from "@/components/CopyId";
import { Figure, Figures } from "@/components/Figure";
import { StateBadge } from "@/components/StateBadge";
import { isFinal } from "@/components/states";
import { count, duration } from "@/format";
import { Ago, Elapsed } from "@/format/Ago";
import classes from "./RunPage.module.css";

/** Which run this is, how it stands, its figures, and what one can do with it. */
export function RunHeader({ run }: { run: Run }) {
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
        </div>
      </div>
      <Group gap={32} align="flex-start">
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
        {isFinal(run.state) ? <RunAgain run={run} /> : <Cancel run={run} />}
      </Group>
    </header>
  );
}

function RunAgain({ run }: { run: Run }) {
  const navigate = useNavigate();
  const client = useQueryClient();
  const again = useMutation({
    mutationFn: () =>
      startRun(run.workflow, { params: run.params as Record<string, unknown> }, crypto.randomUUID()),
    onSuccess: (fresh) => {
      void client.invalidateQueries({ queryKey: keys.runs() });
      void navigate({ to: "/runs/$id", params: { id: fresh.id } });
    },
    onError: (error) =>
      notifications.show({ color: "red", title: "The run did not start", message: error.message }),
  });
  return (
    <Button
      leftSection={<IconPlayerPlay size={16} aria-hidden />}
      loading={again.isPending}
      onClick={() => again.mutate()}
      title="The newest version, with the same params"
    >
      Run again
    </Button>
  );
}

function Cancel({ run }: { run: Run }) {
  const client = useQueryClient();
  const cancel = useMutation({
    mutationFn: () => cancelRun(run.id),
    onSuccess: () => void client.invalidateQueries({ queryKey: keys.runLive(run.id) }),
    onError: (error) =>
      notifications.show({ color: "red", title: "The run was not cancelled", message: error.message }),
  });
  const asked = Boolean(run.cancel_requested_at);
  const ask = () =>
    modals.openConfirmModal({
      title: "Cancel this run?",
      children: (
        <Text>
          Steps at work are stopped and their results are lost; finished steps keep theirs. Agents go back to
          their pools. A cancelled run cannot be continued, only run again.
        </Text>
      ),
      labels: { confirm: "Cancel the run", cancel: "Keep it running" },
      confirmProps: { color: "red" },
      onConfirm: () => cancel.mutate(),
    });
  return (
    <Button
      variant="default"
      leftSection={<IconPlayerStop size={16} aria-hidden />}
      loading={cancel.isPending}
      disabled={asked}
      onClick={ask}
    >
      {asked ? "Cancelling…" : "Cancel"}
    </Button>
  );
}
