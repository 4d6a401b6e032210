import { ActionIcon, Button, Group, Menu, Text } from "@mantine/core";
import { modals } from "@mantine/modals";
import { notifications } from "@mantine/notifications";
import { IconBolt, IconDots, IconHistory, IconPlayerPlay, IconTrash } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { keys } from "@/api/keys";
import { useRefusal } from "@/api/me";
import type { RunSummary, WorkflowSummary } from "@/api/types";
import { deleteWorkflow } from "@/api/workflows";
import { Allowed } from "@/components/Allowed";
import { StateBadge } from "@/components/StateBadge";
import { Ago } from "@/format/Ago";
import { openRunModal } from "./RunModal";
import classes from "./WorkflowTable.module.css";

export function NameCell({ workflow }: { workflow: WorkflowSummary }) {
  return (
    <>
      <Link to="/workflows/$name" params={{ name: workflow.name }} className={classes.name}>
        {workflow.name}
      </Link>
      {workflow.description && (
        <div className={classes.about} title={workflow.description}>
          {workflow.description}
        </div>
      )}
    </>
  );
}

export function LastRunCell({ run }: { run: RunSummary | null }) {
  if (!run) return <span className={classes.dim}>Never run</span>;
  return (
    <Link to="/runs/$id" params={{ id: run.id }} className={classes.last}>
      <StateBadge state={run.state} />
      <Ago at={run.created_at} />
    </Link>
  );
}

export function UpdatedCell({ at }: { at: string }) {
  return (
    <span className={classes.dim}>
      <Ago at={at} />
    </span>
  );
}

export function RowActions({ workflow }: { workflow: WorkflowSummary }) {
  const remove = useRemoval(workflow.name);
  const refusal = useRefusal("editor");
  return (
    <Group gap={4} justify="flex-end" wrap="nowrap">
      <Allowed
        refusal={
          refusal ?? (workflow.steps === 0 ? "It has no steps yet, so there is nothing to run." : null)
        }
      >
        {(may) => (
          <Button
            {...may}
            variant="default"
            size="xs"
            leftSection={<IconPlayerPlay size={14} aria-hidden />}
            aria-label={`Run ${workflow.name}`}
            onClick={() => openRunModal({ workflow: workflow.name })}
          >
            Run
          </Button>
        )}
      </Allowed>
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" aria-label={`More for ${workflow.name}`}>
            <IconDots size={16} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item
            component={Link}
            to={`/runs?workflow=${encodeURIComponent(workflow.name)}`}
            leftSection={<IconHistory size={16} aria-hidden />}
          >
            Its runs
          </Menu.Item>
          <Menu.Item
            component={Link}
            to={`/triggers?workflow=${encodeURIComponent(workflow.name)}`}
            leftSection={<IconBolt size={16} aria-hidden />}
          >
            Its triggers
          </Menu.Item>
          <Menu.Item
            color="red"
            leftSection={<IconTrash size={16} aria-hidden />}
            disabled={refusal !== null}
            title={refusal ?? undefined}
            onClick={remove}
          >
            Delete…
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
    </Group>
  );
}

/** Deleting asks first, and says what stays. */
function useRemoval(name: string): () => void {
  const client = useQueryClient();
  const removal = useMutation({
    mutationFn: () => deleteWorkflow(name),
    onSuccess: () => {
      notifications.show({ message: `${name} was deleted.` });
      void client.invalidateQueries({ queryKey: keys.workflows() });
    },
    onError: (error) =>
      notifications.show({ color: "red", title: `${name} was not deleted`, message: error.message }),
  });
  return () =>
    modals.openConfirmModal({
      title: `Delete ${name}?`,
      children: (
        <Text>
          The workflow leaves every list and can no longer be run; its triggers are switched off. Its runs and
          their results stay, and its name is free again.
        </Text>
      ),
      labels: { confirm: "Delete workflow", cancel: "Keep it" },
      confirmProps: { color: "red" },
      groupProps: { mt: 24, gap: 8 },
      onConfirm: () => removal.mutate(),
    });
}
