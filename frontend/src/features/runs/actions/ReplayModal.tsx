import { Button, Group, Skeleton, Stack, Text } from "@mantine/core";
import { modals } from "@mantine/modals";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { keys } from "@/api/keys";
import { replayRun } from "@/api/runs";
import type { Run } from "@/api/types";
import { versionDetail } from "@/api/workflows";
import { ErrorNote } from "@/components/ErrorNote";
import { SchemaForm } from "@/components/SchemaForm";
import { paramsOf } from "@/features/workflows/params";

const MODAL = "replay-run";
const FORM = "replay-params";

/** Asks for other params, prefilled with the run's own, and starts a new run of the same version. */
export function openReplayModal(run: Run): void {
  modals.open({
    modalId: MODAL,
    title: `Replay ${run.workflow}`,
    size: 520,
    children: <ReplayForm run={run} />,
  });
}

function ReplayForm({ run }: { run: Run }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const version = useQuery(versionDetail(run.workflow, run.version));
  const replay = useMutation({
    mutationFn: (params: Record<string, unknown>) => replayRun(run.id, params),
    onSuccess: (fresh) => {
      modals.close(MODAL);
      void client.invalidateQueries({ queryKey: keys.runs() });
      void navigate({ to: "/runs/$id", params: { id: fresh.id } });
    },
  });
  if (version.isPending) return <Skeleton h={96} />;
  if (version.error) return <ErrorNote error={version.error} onRetry={() => void version.refetch()} />;
  const schema = paramsOf(version.data.document);
  return (
    <Stack gap={16}>
      <Text c="dimmed">
        A new run of version {run.version}
        {schema ? ", with these params." : ". It takes no params, so it starts as this one did."}
      </Text>
      {schema && (
        <SchemaForm
          id={FORM}
          schema={schema}
          initial={(run.params ?? {}) as Record<string, unknown>}
          onSubmit={(params) => replay.mutate(params)}
        />
      )}
      {replay.error && <ErrorNote error={replay.error} title="The run was not started" />}
      <Group justify="flex-end" gap={8}>
        <Button variant="default" onClick={() => modals.close(MODAL)}>
          Leave it
        </Button>
        <Button
          {...(schema ? { type: "submit" as const, form: FORM } : { onClick: () => replay.mutate({}) })}
          loading={replay.isPending}
        >
          Start run
        </Button>
      </Group>
    </Stack>
  );
}
