import { ActionIcon, Button, Group, Menu } from "@mantine/core";
import { IconChevronDown, IconDots, IconFlag, IconPlayerPlay, IconRefresh } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { freshKey } from "@/api/ids";
import { useRefusal, useRunRefusal } from "@/api/me";
import { retryRun } from "@/api/runs";
import type { Run, Step } from "@/api/types";
import { startRun, workflowDetail } from "@/api/workflows";
import { Allowed } from "@/components/Allowed";
import { isFinal } from "@/components/states";
import { openPriorityModal } from "./PriorityModal";
import { openReplayModal } from "./ReplayModal";
import { CancelButton, PauseButton } from "./stopping";
import { useRunAct } from "./useRunAct";

interface Props {
  run: Run;
  steps: Step[];
}

/** What one can do with the run as it stands now. Retrying what failed is offered where the failure is told. */
export function RunActions({ run, steps }: Props) {
  const over = isFinal(run.state);
  return (
    <Group gap={8} wrap="nowrap">
      {over ? (
        <>
          {run.state === "cancelled" && mayRetry(run, steps) && <RetryButton run={run} />}
          <RunAgain run={run} prominent={!mayRetry(run, steps)} />
        </>
      ) : (
        <>
          <PauseButton run={run} />
          <CancelButton run={run} />
        </>
      )}
      <MoreMenu run={run} over={over} />
    </Group>
  );
}

/** Whether something in the run can be run again: what failed or was cancelled, items of maps included. */
export function mayRetry(run: Run, steps: Step[]): boolean {
  if (run.document) return false; // the trial of one step
  if (run.state === "failed" || run.state === "cancelled") return true;
  return run.state === "completed" && steps.some((step) => step.counts.failed > 0);
}

/** Runs again what did not complete: in this run, or as a new run of a newer version. */
export function RetryButton({ run, size = "sm" }: { run: Run; size?: "xs" | "sm" }) {
  const navigate = useNavigate();
  const refusal = useRunRefusal(run);
  const newest = useQuery({ ...workflowDetail(run.workflow), retry: false }).data?.version;
  const retry = useRunAct(
    run,
    (version: number | undefined) => retryRun(run.id, version),
    "The run was not retried",
    (answer) => {
      if (answer.id !== run.id) void navigate({ to: "/runs/$id", params: { id: answer.id } });
    },
  );
  const newer = newest !== undefined && newest > run.version ? newest : undefined;
  return (
    <Group gap={2} wrap="nowrap">
      <Allowed
        refusal={refusal}
        says="Runs again what failed and what comes after it; what completed is kept"
      >
        {(may) => (
          <Button
            {...may}
            size={size}
            leftSection={<IconRefresh size={16} aria-hidden />}
            loading={retry.isPending}
            onClick={() => retry.mutate(undefined)}
          >
            Retry
          </Button>
        )}
      </Allowed>
      {newer && (
        <Menu position="bottom-end">
          <Menu.Target>
            <ActionIcon
              size={size === "xs" ? 30 : 36}
              disabled={refusal !== null}
              aria-label="Retry on another version"
            >
              <IconChevronDown size={16} />
            </ActionIcon>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Label>A new run that keeps what completed</Menu.Label>
            <Menu.Item onClick={() => retry.mutate(newer)}>Retry on version {newer}, the newest</Menu.Item>
          </Menu.Dropdown>
        </Menu>
      )}
    </Group>
  );
}

function RunAgain({ run, prominent }: { run: Run; prominent: boolean }) {
  const navigate = useNavigate();
  const refusal = useRefusal("editor");
  const again = useRunAct(
    run,
    () => startRun(run.workflow, { params: run.params as Record<string, unknown> }, freshKey()),
    "The run did not start",
    (fresh) => void navigate({ to: "/runs/$id", params: { id: fresh.id } }),
  );
  if (run.document) return null; // a trial is repeated where it was tried
  return (
    <Allowed refusal={refusal} says="A new run of the newest version, with the same params">
      {(may) => (
        <Button
          {...may}
          variant={prominent ? "filled" : "default"}
          leftSection={<IconPlayerPlay size={16} aria-hidden />}
          loading={again.isPending}
          onClick={() => again.mutate()}
        >
          Run again
        </Button>
      )}
    </Allowed>
  );
}

function MoreMenu({ run, over }: { run: Run; over: boolean }) {
  const mine = useRunRefusal(run);
  const editor = useRefusal("editor");
  if (over && run.document) return null;
  return (
    <Menu position="bottom-end" width={260}>
      <Menu.Target>
        <ActionIcon variant="default" size={36} aria-label="More for this run">
          <IconDots size={16} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {!run.document && (
          <Menu.Item
            leftSection={<IconPlayerPlay size={16} aria-hidden />}
            disabled={editor !== null}
            title={editor ?? undefined}
            onClick={() => openReplayModal(run)}
          >
            Replay with other params…
          </Menu.Item>
        )}
        {!over && (
          <Menu.Item
            leftSection={<IconFlag size={16} aria-hidden />}
            disabled={mine !== null}
            title={mine ?? undefined}
            onClick={() => openPriorityModal(run)}
          >
            Priority: {run.priority}…
          </Menu.Item>
        )}
      </Menu.Dropdown>
    </Menu>
  );
}
