import { Button, Group, Skeleton, Stack, Text } from "@mantine/core";
import { modals } from "@mantine/modals";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useRef } from "react";
import { freshKey } from "@/api/ids";
import { keys } from "@/api/keys";
import type { Run } from "@/api/types";
import { startRun, versionDetail, workflowDetail } from "@/api/workflows";
import { ErrorNote } from "@/components/ErrorNote";
import { SchemaForm, SubmitForm } from "@/components/SchemaForm";
import { type ParamsSchema, paramsOf } from "./params";
import { RunEstimate } from "./RunEstimate";

interface RunTarget {
  workflow: string;
  /** The newest when left out. */
  version?: number;
  /** What the form holds at first: the params of an earlier run, say. */
  params?: Record<string, unknown>;
}

const MODAL = "run-workflow";

/** Asks for the params that the workflow wants, if any; starts a run, and opens its page. */
export function openRunModal(target: RunTarget): void {
  modals.open({
    modalId: MODAL,
    title: `Run ${target.workflow}`,
    size: 520,
    children: <RunTheWorkflow {...target} />,
  });
}

function useDocument({ workflow, version }: RunTarget) {
  const newest = useQuery({ ...workflowDetail(workflow), enabled: version === undefined, staleTime: 0 });
  const pinned = useQuery({ ...versionDetail(workflow, version ?? 0), enabled: version !== undefined });
  return version === undefined ? newest : pinned;
}

function RunTheWorkflow(target: RunTarget) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const found = useDocument(target);
  const key = useRef(freshKey());
  const start = useMutation({
    mutationFn: (params: Record<string, unknown>) =>
      startRun(target.workflow, { params, version: target.version }, key.current),
    onSuccess: (run: Run) => {
      modals.close(MODAL);
      void client.invalidateQueries({ queryKey: keys.runs() });
      void client.invalidateQueries({ queryKey: keys.workflows() });
      void navigate({ to: "/runs/$id", params: { id: run.id } });
    },
    // What is sent next may differ from what was refused, so it is another request.
    onError: () => {
      key.current = freshKey();
    },
  });
  if (found.isPending) return <Skeleton h={96} />;
  if (found.error) return <ErrorNote error={found.error} onRetry={() => void found.refetch()} />;
  const schema = paramsOf(found.data.document);
  return (
    <Stack gap={16}>
      {schema ? (
        <ParamsForm
          schema={schema}
          initial={target.params ?? {}}
          onSubmit={(params) => start.mutate(params)}
        />
      ) : (
        <Text c="dimmed">
          Version {target.version ?? found.data.version} takes no params: it starts as it is.
        </Text>
      )}
      <RunEstimate workflow={target.workflow} version={target.version} />
      {start.error && <ErrorNote error={start.error} title="The run was not started" />}
      <Group justify="flex-end" gap={8}>
        <Button variant="default" onClick={() => modals.close(MODAL)}>
          Cancel
        </Button>
        {schema ? (
          <SubmitForm form="run-params" loading={start.isPending}>
            Start run
          </SubmitForm>
        ) : (
          <Button data-autofocus loading={start.isPending} onClick={() => start.mutate({})}>
            Start run
          </Button>
        )}
      </Group>
    </Stack>
  );
}

interface FormProps {
  schema: ParamsSchema;
  initial: Record<string, unknown>;
  onSubmit: (params: Record<string, unknown>) => void;
}

function ParamsForm({ schema, initial, onSubmit }: FormProps) {
  const about = typeof schema.description === "string" ? schema.description : null;
  return (
    <div>
      {about && (
        <Text c="dimmed" mb={8}>
          {about}
        </Text>
      )}
      <SchemaForm id="run-params" schema={schema} initial={initial} onSubmit={onSubmit} />
    </div>
  );
}
