import { Button, Group, Modal, Stack, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { ApiProblem } from "@/api/client";
import { keys } from "@/api/keys";
import { changeNodeGroup, createNodeGroup } from "@/api/nodes";
import type { NodeGroup } from "@/api/types";
import { ErrorNote } from "@/components/ErrorNote";
import { focusFirst, showFaults } from "@/components/formFaults";
import formClasses from "@/features/pools/settings/Settings.module.css";
import { changesOf, check, type Draft, draftOf, fieldsOf, FRESH, placed } from "./draft";
import { MachineFields, SpotFields, TemplateField, TypeFields } from "./fields";

interface Props {
  /** The group to change; a new one is made without it. */
  group?: NodeGroup;
  onClose: () => void;
}

/** Makes a node group, or changes its limits and what its machines are. */
export function GroupModal({ group, onClose }: Props) {
  return (
    <Modal
      opened
      onClose={onClose}
      size={640}
      title={group ? `Edit the node group ${group.name}` : "New node group"}
      closeOnClickOutside={false}
    >
      <Editor group={group} onClose={onClose} />
    </Modal>
  );
}

function Editor({ group, onClose }: Props) {
  const { form, save, same } = useGroupForm(group, onClose);
  const faults = save.error instanceof ApiProblem ? save.error.errors : [];
  const more = save.error && (faults.length === 0 || placed(faults).left.length > 0);
  return (
    <form
      className={formClasses.form}
      aria-label={group ? `Node group ${group.name}` : "New node group"}
      onSubmit={form.onSubmit(
        (draft) => save.mutate(draft),
        (faults) => focusFirst(form, faults),
      )}
      noValidate
    >
      <Stack gap={16}>
        {!group && (
          <TextInput label="Name" placeholder="workers" data-autofocus {...form.getInputProps("name")} />
        )}
        <MachineFields form={form} />
        <TypeFields form={form} />
        <SpotFields form={form} />
        <TemplateField form={form} />
        <div className={formClasses.foot}>
          {more && (
            <ErrorNote
              error={save.error}
              title={group ? "The group was not changed" : "The group was not made"}
            />
          )}
          <Group justify="flex-end" gap={8}>
            <Button variant="default" onClick={onClose}>
              Leave it
            </Button>
            <Button
              type="submit"
              loading={save.isPending}
              disabled={group ? same : form.values.name.trim() === ""}
            >
              {group ? "Save" : "Create"}
            </Button>
          </Group>
        </div>
      </Stack>
    </form>
  );
}

function useGroupForm(group: NodeGroup | undefined, onClose: () => void) {
  const client = useQueryClient();
  const form = useForm<Draft>({ initialValues: group ? draftOf(group) : FRESH, validate: check });
  const before = form.getInitialValues();
  const save = useMutation({
    mutationFn: (draft: Draft) =>
      group
        ? changeNodeGroup(group.name, changesOf(draft, before))
        : createNodeGroup({ name: draft.name.trim(), ...fieldsOf(draft) }),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: keys.nodeGroups() });
      onClose();
    },
    onError: (error) => {
      showFaults(form, error instanceof ApiProblem ? placed(error.errors).at : {});
    },
  });
  const readable = Object.keys(check(form.values)).length === 0;
  const same = readable && Object.keys(changesOf(form.values, before)).length === 0;
  return { form, save, same };
}
