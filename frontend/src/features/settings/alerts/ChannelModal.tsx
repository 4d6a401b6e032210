import {
  Alert,
  Button,
  Group,
  Modal,
  MultiSelect,
  SegmentedControl,
  Stack,
  Text,
  TextInput,
} from "@mantine/core";
import { useForm } from "@mantine/form";
import { IconKey } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { addChannel, changeChannel } from "@/api/alerts";
import { ApiProblem } from "@/api/client";
import { keys } from "@/api/keys";
import type { AlertChannel } from "@/api/types";
import { ErrorNote } from "@/components/ErrorNote";
import { JsonView } from "@/components/JsonView";
import { helped } from "@/features/pools/settings/sections";
import { CHANNEL_KINDS, KINDS } from "./words";

interface Props {
  /** The one to change; a new one is added without it. */
  channel?: AlertChannel;
  onClose: () => void;
}

type Draft = Pick<AlertChannel, "name" | "kind" | "target" | "kinds">;

const TARGETS: Record<AlertChannel["kind"], { label: string; description: string; placeholder: string }> = {
  email: {
    label: "E-mail addresses",
    description: "Several with commas between them",
    placeholder: "ops@example.org",
  },
  webhook: {
    label: "Address",
    description: "Takes a POST with JSON; any answer of 200 to 299 means that it arrived",
    placeholder: "https://desk.example.org/alerts",
  },
};

/** Adds a channel, and shows once what its webhooks are signed with; or changes one. */
export function ChannelModal({ channel, onClose }: Props) {
  const client = useQueryClient();
  const save = useMutation({
    mutationFn: async ({ name, kind, target, kinds }: Draft) => {
      const fields = { name: name.trim(), target: target.trim(), kinds };
      if (!channel) return (await addChannel({ ...fields, kind })).secret;
      await changeChannel(channel.id, fields);
      return null;
    },
    onSuccess: (secret) => {
      void client.invalidateQueries({ queryKey: keys.alertChannels() });
      if (secret === null) onClose();
    },
  });
  return (
    <Modal
      opened
      onClose={onClose}
      size={560}
      title={channel ? `Edit ${channel.name}` : "Add a channel"}
      closeOnClickOutside={false}
    >
      {save.data ? (
        <Secret secret={save.data} onClose={onClose} />
      ) : (
        <Editor
          channel={channel}
          pending={save.isPending}
          error={save.error}
          onSave={save.mutate}
          onClose={onClose}
        />
      )}
    </Modal>
  );
}

interface EditorProps extends Props {
  pending: boolean;
  error: Error | null;
  onSave: (draft: Draft) => void;
}

function Editor({ channel, pending, error, onSave, onClose }: EditorProps) {
  const form = useForm<Draft>({
    initialValues: {
      name: channel?.name ?? "",
      kind: channel?.kind ?? "email",
      target: channel?.target ?? "",
      kinds: channel?.kinds ?? [],
    },
  });
  const { name, kind, target } = form.values;
  const faults = error instanceof ApiProblem ? error.errors : [];
  const at = (path: string) => faults.find((fault) => fault.path.split(/[.[]/)[0] === path)?.message;
  const more = error && !["name", "target", "kinds"].some(at);
  return (
    <form aria-label="Channel" onSubmit={form.onSubmit(onSave)} noValidate>
      <Stack gap={16}>
        {!channel && (
          <Stack gap={4}>
            <Text size="sm" fw={500} id="channel-kind">
              By
            </Text>
            <SegmentedControl
              aria-labelledby="channel-kind"
              data={CHANNEL_KINDS}
              {...form.getInputProps("kind")}
            />
            <Text size="xs" c="dimmed">
              {CHANNEL_KINDS.find(({ value }) => value === kind)?.says}
            </Text>
          </Stack>
        )}
        <TextInput
          {...helped}
          label="Name"
          description="Lower-case letters, digits, - and _"
          placeholder="ops"
          data-autofocus
          {...form.getInputProps("name")}
          error={at("name")}
        />
        <TextInput
          {...helped}
          {...TARGETS[kind]}
          spellCheck={false}
          {...form.getInputProps("target")}
          error={at("target")}
        />
        <MultiSelect
          {...helped}
          label="Only these alerts"
          description="Empty: every alert of the team"
          data={KINDS}
          clearable
          {...form.getInputProps("kinds")}
          error={at("kinds")}
        />
        {more && (
          <ErrorNote
            error={error}
            title={channel ? "The channel was not changed" : "The channel was not added"}
          />
        )}
        <Group justify="flex-end" gap={8}>
          <Button variant="default" onClick={onClose}>
            Leave it
          </Button>
          <Button
            type="submit"
            loading={pending}
            disabled={name.trim() === "" || target.trim() === "" || (channel && !form.isDirty())}
          >
            {channel ? "Save" : "Add"}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function Secret({ secret, onClose }: { secret: string; onClose: () => void }) {
  return (
    <Stack gap={16}>
      <Alert
        color="iris"
        variant="light"
        icon={<IconKey size={18} aria-hidden />}
        title="Copy the secret now"
      >
        It is shown this once. With it the receiver tells our requests from others’: the header
        X-Agentainer-Signature is an HMAC-SHA256 over time, a dot, and body.
      </Alert>
      <JsonView value={secret} label="secret" />
      <Group justify="flex-end">
        <Button onClick={onClose}>I have it</Button>
      </Group>
    </Stack>
  );
}
