import { Button, Group, Modal, Stack, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { ApiProblem } from "@/api/client";
import { keys } from "@/api/keys";
import { createWorkflow } from "@/api/workflows";
import { ErrorNote } from "@/components/ErrorNote";
import { asName, nameFault } from "./names";

interface Props {
  opened: boolean;
  onClose: () => void;
}

/** Asks for a name, makes an empty workflow, and opens it in the designer. */
export function NewWorkflowModal({ opened, onClose }: Props) {
  return (
    <Modal opened={opened} onClose={onClose} title="New workflow">
      <NewWorkflowForm onClose={onClose} />
    </Modal>
  );
}

function NewWorkflowForm({ onClose }: { onClose: () => void }) {
  const navigate = useNavigate();
  const client = useQueryClient();
  const form = useForm({
    initialValues: { name: "", description: "" },
    validate: { name: nameFault },
  });
  const create = useMutation({
    mutationFn: (values: { name: string; description: string }) =>
      createWorkflow({
        apiVersion: "agentainer.flow/v1",
        name: asName(values.name),
        ...(values.description.trim() ? { description: values.description.trim() } : {}),
        steps: [],
      }),
    onSuccess: (workflow) => {
      client.setQueryData(keys.workflow(workflow.name), workflow);
      void client.invalidateQueries({ queryKey: keys.workflows() });
      void navigate({ to: "/workflows/$name", params: { name: workflow.name } });
    },
    onError: (error) => {
      if (error instanceof ApiProblem && error.status === 409) {
        form.setFieldError("name", "Another workflow of this team has this name; choose another.");
      }
    },
  });
  const taken = create.error instanceof ApiProblem && create.error.status === 409;
  const saved = asName(form.values.name);
  return (
    <form onSubmit={form.onSubmit((values) => create.mutate(values))}>
      <Stack gap={16}>
        <TextInput
          label="Name"
          placeholder="nightly-report"
          data-autofocus
          autoComplete="off"
          inputWrapperOrder={["label", "input", "description", "error"]}
          description={saved && saved !== form.values.name ? `It will be called ${saved}.` : undefined}
          {...form.getInputProps("name")}
        />
        <TextInput
          label="Description (optional)"
          placeholder="What it does, in a sentence"
          autoComplete="off"
          {...form.getInputProps("description")}
        />
        {create.error && !taken && <ErrorNote error={create.error} title="The workflow was not made" />}
        <Group justify="flex-end" gap={8}>
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={create.isPending}>
            Create
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
