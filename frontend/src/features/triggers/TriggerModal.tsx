import { Button, Group, Modal, SegmentedControl, Stack, Switch, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { ApiProblem } from "@/api/client";
import { keys } from "@/api/keys";
import { changeTrigger, createTrigger } from "@/api/triggers";
import type { Trigger, TriggerKind } from "@/api/types";
import { workflowDetail } from "@/api/workflows";
import { ErrorNote } from "@/components/ErrorNote";
import { SchemaForm } from "@/components/SchemaForm";
import { asName } from "@/features/workflows/names";
import { paramsOf } from "@/features/workflows/params";
import { ConfigFields } from "./ConfigFields";
import { configOf, type Draft, draftOf, formSchemaFor } from "./draft";
import { openSecretModal } from "./SecretModal";
import classes from "./Triggers.module.css";
import { KINDS } from "./words";
import { WorkflowSelect } from "./WorkflowSelect";

interface Props {
  /** The one to edit; a new one is made without it. */
  trigger?: Trigger;
  /** What a new one starts. */
  workflow?: string;
  onClose: () => void;
}

const FORM = "trigger-params";

/** Makes a trigger, or changes one. */
export function TriggerModal({ trigger, workflow, onClose }: Props) {
  return (
    <Modal
      opened
      onClose={onClose}
      size={600}
      title={trigger ? `Edit ${trigger.name}` : "New trigger"}
      closeOnClickOutside={false}
    >
      <TriggerForm trigger={trigger} workflow={workflow} onClose={onClose} />
    </Modal>
  );
}

function TriggerForm({ trigger, workflow, onClose }: Props) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const [draft, setDraft] = useState<Draft>(() => draftOf(trigger, workflow));
  const set = (change: Partial<Draft>) => setDraft((before) => ({ ...before, ...change }));
  const target = useQuery({ ...workflowDetail(draft.workflow), enabled: draft.workflow !== "" }).data;
  const schema = target ? paramsOf(target.document) : null;
  const save = useMutation({
    mutationFn: (params: Record<string, unknown>) => {
      const body = { name: asName(draft.name), config: configOf(draft), params, enabled: draft.enabled };
      return trigger
        ? changeTrigger(trigger.id, body)
        : createTrigger({ ...body, workflow: draft.workflow, kind: draft.kind });
    },
    onSuccess: (saved) => {
      void client.invalidateQueries({ queryKey: keys.triggers() });
      client.setQueryData(keys.trigger(saved.id), saved);
      onClose();
      if (!trigger) void navigate({ to: "/triggers/$id", params: { id: saved.id } });
      if (saved.secret) openSecretModal(saved);
    },
  });
  const faults = save.error instanceof ApiProblem ? save.error.errors : [];
  const faultAt = (path: string) => faults.find((one) => one.path === path)?.message;
  const complete = draft.name.trim() !== "" && draft.workflow !== "";
  const initial = (trigger?.params ?? {}) as Record<string, unknown>;
  const fields = schema && formSchemaFor(draft, schema);
  return (
    <Stack gap={16}>
      {!trigger && <Kind kind={draft.kind} onChange={(kind) => set({ kind })} />}
      <Group grow align="flex-start" gap={16}>
        <TextInput
          label="Name of the trigger"
          placeholder="nightly"
          autoComplete="off"
          data-autofocus
          value={draft.name}
          onChange={(event) => set({ name: event.currentTarget.value })}
          description={
            draft.name && asName(draft.name) !== draft.name
              ? `It will be called ${asName(draft.name)}.`
              : undefined
          }
          inputWrapperOrder={["label", "input", "description", "error"]}
          error={faultAt("name")}
        />
        <WorkflowSelect
          label="Starts the workflow"
          value={draft.workflow}
          disabled={trigger !== undefined}
          onChange={(name) => set({ workflow: name })}
        />
      </Group>
      <ConfigFields draft={draft} set={set} schema={schema} faultAt={faultAt} />
      {fields && (
        <fieldset className={classes.params}>
          <legend>
            {draft.kind === "schedule" ? "Params of each run" : "Fixed params (they win over the mapping)"}
          </legend>
          <SchemaForm
            key={`${draft.workflow} ${draft.kind}`}
            id={FORM}
            schema={fields}
            initial={initial}
            onSubmit={(params) => save.mutate(params)}
          />
        </fieldset>
      )}
      <Switch
        label="On"
        description="Off: it starts nothing by itself, and can still be fired by hand"
        checked={draft.enabled}
        onChange={(event) => set({ enabled: event.currentTarget.checked })}
      />
      {save.error && (
        <ErrorNote
          error={save.error}
          title={trigger ? "The trigger was not changed" : "The trigger was not made"}
        />
      )}
      <Group justify="flex-end" gap={8}>
        <Button variant="default" onClick={onClose}>
          Leave it
        </Button>
        <Button
          {...(fields ? { type: "submit" as const, form: FORM } : { onClick: () => save.mutate(initial) })}
          disabled={!complete}
          loading={save.isPending}
        >
          {trigger ? "Save" : "Create"}
        </Button>
      </Group>
    </Stack>
  );
}

function Kind({ kind, onChange }: { kind: TriggerKind; onChange: (kind: TriggerKind) => void }) {
  return (
    <div>
      <SegmentedControl
        fullWidth
        aria-label="Kind of trigger"
        data={Object.entries(KINDS).map(([value, { word }]) => ({ value, label: word }))}
        value={kind}
        onChange={(next) => onChange(next as TriggerKind)}
      />
      <p className={classes.hint}>{KINDS[kind].says}.</p>
    </div>
  );
}
