import { Button, Group, Modal, Stack, Switch, TagsInput, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { IconRefreshAlert } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { ApiProblem } from "@/api/client";
import { keys } from "@/api/keys";
import { createPool, updatePool } from "@/api/pools";
import type { Pool } from "@/api/types";
import { ErrorNote } from "@/components/ErrorNote";
import { focusFirst, showFaults } from "@/components/formFaults";
import { LABELS } from "./labels";
import notes from "./Pools.module.css";
import { changesOf, type Draft, draftOf, FRESH, replacing, settingsOf } from "./settings/draft";
import { check, placed } from "./settings/faults";
import { EnvironmentFields, SharingFields } from "./settings/rows";
import {
  AssignmentFields,
  LifeFields,
  PlacementFields,
  ResourceFields,
  SizeFields,
} from "./settings/sections";
import classes from "./settings/Settings.module.css";

interface Props {
  /** The pool to edit; a new one is made without it. */
  pool?: Pool;
  onClose: () => void;
}

/** Makes a pool, or changes its settings. */
export function PoolModal({ pool, onClose }: Props) {
  return (
    <Modal
      opened
      onClose={onClose}
      size={720}
      title={pool ? `Edit ${pool.name}` : "New pool"}
      closeOnClickOutside={false}
    >
      <Settings pool={pool} onClose={onClose} />
    </Modal>
  );
}

function Settings({ pool, onClose }: Props) {
  const { form, save, before } = useSettings(pool, onClose);
  const changes = changesOf(form.values, before);
  const same = pool && Object.keys(changes).length === 0;
  return (
    <form
      className={classes.form}
      onSubmit={form.onSubmit(
        (draft) => save.mutate(draft),
        (faults) => focusFirst(form, faults),
      )}
      aria-label={pool ? `Settings of ${pool.name}` : "Settings of the new pool"}
      noValidate
    >
      <Stack gap={16}>
        {!pool && (
          <TextInput label="Name" placeholder="parsers" data-autofocus {...form.getInputProps("name")} />
        )}
        <TextInput
          label="Image"
          description={
            pool ? undefined : "Empty for the built-in Python agent, which runs the code of steps."
          }
          placeholder="agentainer/python-agent"
          spellCheck={false}
          {...form.getInputProps("image")}
        />
        <Switch
          label="For commands"
          description="The image need not be an agent: one is laid on it, and runs its programs"
          {...form.getInputProps("commands", { type: "checkbox" })}
        />
        <TagsInput
          label="Requirements"
          description="Python packages, such as requests==2.32.3, that the built-in agent's image gets"
          splitChars={[]}
          acceptValueOnBlur
          {...form.getInputProps("requirements")}
        />
        <SizeFields form={form} />
        <LifeFields form={form} />
        <AssignmentFields form={form} />
        <ResourceFields form={form} />
        <PlacementFields form={form} />
        <EnvironmentFields form={form} />
        <SharingFields form={form} />
        <div className={classes.foot}>
          {pool && <Replaced names={replacing(changes)} />}
          {hasMore(save.error, form.values) && (
            <ErrorNote
              error={save.error}
              title={pool ? "The pool was not changed" : "The pool was not made"}
            />
          )}
          <Group justify="flex-end" gap={8}>
            <Button variant="default" onClick={onClose}>
              Leave it
            </Button>
            <Button
              type="submit"
              loading={save.isPending}
              disabled={pool ? same : form.values.name.trim() === ""}
            >
              {pool ? "Save" : "Create"}
            </Button>
          </Group>
        </div>
      </Stack>
    </form>
  );
}

/** The form's state, and what becomes of it. */
function useSettings(pool: Pool | undefined, onClose: () => void) {
  const client = useQueryClient();
  const form = useForm<Draft>({
    initialValues: pool ? draftOf(pool) : FRESH,
    validate: (draft) => check(draft, !pool),
  });
  const before = form.getInitialValues();
  const save = useMutation({
    mutationFn: (draft: Draft) => {
      if (pool) return updatePool(pool.name, changesOf(draft, before));
      const { image, ...settings } = settingsOf(draft);
      return createPool({ name: draft.name.trim(), ...settings, ...(image ? { image } : {}) });
    },
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: keys.pools() });
      onClose();
    },
    onError: (error, draft) => {
      showFaults(form, error instanceof ApiProblem ? placed(error.errors, draft).at : {});
    },
  });
  return { form, save, before };
}

/** Whether the error tells more than the fields show. */
function hasMore(error: Error | null, draft: Draft): boolean {
  if (!(error instanceof ApiProblem)) return error !== null;
  return error.errors.length === 0 || placed(error.errors, draft).left.length > 0;
}

/** Before saving: that the agents are replaced, and because of what. */
function Replaced({ names }: { names: string[] }) {
  if (names.length === 0) return null;
  return (
    <div className={notes.note} data-hue="amber" role="status">
      <IconRefreshAlert size={18} className={notes.noteIcon} aria-hidden />
      <span className={notes.noteText}>
        <strong>Saving replaces every agent.</strong> This changes{" "}
        {names.map((name) => LABELS[name] ?? name).join(", ")}. Free agents end at once, leased ones after
        their lease.
      </span>
    </div>
  );
}
