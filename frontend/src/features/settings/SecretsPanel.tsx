import {
  ActionIcon,
  Button,
  Group,
  PasswordInput,
  Skeleton,
  Table,
  Text,
  TextInput,
  VisuallyHidden,
} from "@mantine/core";
import { modals } from "@mantine/modals";
import { notifications } from "@mantine/notifications";
import { IconTrash } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { faultAt } from "@/api/client";
import { keys } from "@/api/keys";
import { useRefusal } from "@/api/me";
import { deleteSecret, secretList, setSecret } from "@/api/teams";
import type { Secret } from "@/api/types";
import { Allowed } from "@/components/Allowed";
import { ErrorNote } from "@/components/ErrorNote";
import { ago } from "@/format";
import { Section } from "./Section";

/** What the team keeps secret, by name; admins set and delete. A value is shown to nobody. */
export function SecretsPanel() {
  const hidden = useRefusal("editor");
  const found = useQuery({ ...secretList(), enabled: hidden === null });
  if (hidden) return <Text c="dimmed">{hidden}</Text>;
  if (found.error) return <ErrorNote error={found.error} onRetry={() => void found.refetch()} />;
  if (!found.data) return <Skeleton h={240} />;
  return (
    <>
      <Section
        title="Secrets"
        about="Agents get them as variables, where a pool or a deployed agent names them."
      >
        {found.data.results.length === 0 ? (
          <Text c="dimmed">There is none yet. Set one below; then name it in the settings of a pool.</Text>
        ) : (
          <SecretTable secrets={found.data.results} />
        )}
      </Section>
      <SetSecret />
    </>
  );
}

function SecretTable({ secrets }: { secrets: Secret[] }) {
  const refusal = useRefusal("admin");
  const client = useQueryClient();
  const remove = useMutation({
    mutationFn: deleteSecret,
    onSuccess: () => void client.invalidateQueries({ queryKey: keys.secrets() }),
  });
  const ask = (name: string) =>
    modals.openConfirmModal({
      title: `Delete ${name}?`,
      children: (
        <Text>Agents that have it keep it until they end; none that names it can be made any more.</Text>
      ),
      labels: { confirm: "Delete", cancel: "Keep it" },
      confirmProps: { color: "red" },
      onConfirm: () => remove.mutate(name),
    });
  return (
    <>
      {remove.error && <ErrorNote error={remove.error} title="The secret was not deleted" />}
      <Table>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Name</Table.Th>
            <Table.Th>Set by</Table.Th>
            <Table.Th>Changed</Table.Th>
            <Table.Th>
              <VisuallyHidden>Actions</VisuallyHidden>
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {secrets.map(({ name, author, changed_at }) => (
            <Table.Tr key={name}>
              <Table.Td>{name}</Table.Td>
              <Table.Td>{author}</Table.Td>
              <Table.Td>{ago(changed_at)}</Table.Td>
              <Table.Td ta="right">
                <Allowed refusal={refusal}>
                  {(may) => (
                    <ActionIcon
                      variant="subtle"
                      color="red"
                      aria-label={`Delete ${name}`}
                      onClick={() => ask(name)}
                      {...may}
                    >
                      <IconTrash size={16} />
                    </ActionIcon>
                  )}
                </Allowed>
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </>
  );
}

function SetSecret() {
  const refusal = useRefusal("admin");
  const client = useQueryClient();
  const [name, setName] = useState("");
  const [value, setValue] = useState("");
  const save = useMutation({
    mutationFn: () => setSecret(name.trim(), value),
    onSuccess: () => {
      notifications.show({ message: `${name.trim()} is set. Recycle the pools that use it already.` });
      setName("");
      setValue("");
      void client.invalidateQueries({ queryKey: keys.secrets() });
    },
  });
  const fault = (path: string) => faultAt(save.error, path);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  const off = refusal !== null;
  return (
    <form onSubmit={submit}>
      <Section title="Set a secret" about="One of that name gets the new value.">
        <TextInput
          label="Name"
          placeholder="API_KEY"
          autoComplete="off"
          spellCheck={false}
          disabled={off}
          value={name}
          error={fault("name")}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <PasswordInput
          label="Value"
          description="Nobody can read it here afterwards."
          autoComplete="new-password"
          disabled={off}
          value={value}
          error={fault("value")}
          onChange={(event) => setValue(event.currentTarget.value)}
        />
        {save.error && !fault("name") && !fault("value") && (
          <ErrorNote error={save.error} title="The secret was not set" />
        )}
        <Group>
          <Allowed refusal={refusal}>
            {({ disabled, ...rest }) => (
              <Button
                type="submit"
                loading={save.isPending}
                disabled={disabled || !name.trim() || !value}
                {...rest}
              >
                Set
              </Button>
            )}
          </Allowed>
        </Group>
      </Section>
    </form>
  );
}
