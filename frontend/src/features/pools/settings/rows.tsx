import {
  ActionIcon,
  Autocomplete,
  Button,
  Fieldset,
  Input,
  NumberInput,
  Select,
  Stack,
  TagsInput,
  Text,
  Textarea,
  TextInput,
} from "@mantine/core";
import { IconPlus, IconTrash } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { me, useRefusal } from "@/api/me";
import { secretList } from "@/api/teams";
import { Fields, helped, type SectionProps } from "./sections";
import classes from "./Settings.module.css";
import { ISOLATIONS, NETWORKS } from "./words";

export function EnvironmentFields({ form }: SectionProps) {
  const hidden = useRefusal("editor") !== null;
  const secrets = useQuery({ ...secretList(), enabled: !hidden }).data?.results ?? [];
  const known = secrets.map(({ name }) => name);
  return (
    <Fieldset legend="Environment and network">
      <Stack gap={16}>
        <Stack gap={8}>
          <Text size="sm" c="dimmed">
            Variables of each agent. Everybody in the team can read their values here: keep secrets elsewhere.
          </Text>
          {form.values.env.map((_, row) => (
            <div key={row} className={classes.row}>
              <TextInput
                aria-label={`Name of variable ${row + 1}`}
                placeholder="NAME"
                classNames={{ input: classes.mono }}
                spellCheck={false}
                autoComplete="off"
                {...form.getInputProps(`env.${row}.name`)}
              />
              <Textarea
                aria-label={`Value of variable ${row + 1}`}
                placeholder="value"
                autosize
                minRows={1}
                maxRows={6}
                classNames={{ input: classes.mono }}
                spellCheck={false}
                {...form.getInputProps(`env.${row}.value`)}
              />
              <Remove what={`variable ${row + 1}`} onClick={() => form.removeListItem("env", row)} />
            </div>
          ))}
          {form.errors.env && <Input.Error>{form.errors.env}</Input.Error>}
          <Add what="variable" onClick={() => form.insertListItem("env", { name: "", value: "" })} />
        </Stack>
        <TagsInput
          {...helped}
          label="Secrets"
          description="Names of the team's secrets, which agents get as variables; they are set in the settings"
          data={known}
          {...form.getInputProps("secrets")}
        />
        <Select
          {...helped}
          label="Network"
          description={NETWORKS.find(({ value }) => value === form.values.network)?.says}
          data={NETWORKS}
          {...form.getInputProps("network")}
        />
      </Stack>
    </Fieldset>
  );
}

export function SharingFields({ form }: SectionProps) {
  const person = useQuery(me).data;
  const others = person?.teams.map(({ slug }) => slug).filter((slug) => slug !== person.team.slug) ?? [];
  return (
    <Fieldset legend="Sharing">
      <Stack gap={16}>
        <Stack gap={8}>
          <Text size="sm" c="dimmed">
            Other teams that may lease agents of this pool. While several wait, each gets turns in proportion
            to its weight.
          </Text>
          {form.values.shares.map((_, row) => (
            <div key={row} className={classes.row} data-short>
              <Autocomplete
                aria-label={`Team ${row + 1}`}
                placeholder="the team's short name"
                data={others}
                {...form.getInputProps(`shares.${row}.team`)}
              />
              <NumberInput
                aria-label={`Weight of team ${row + 1}`}
                allowNegative={false}
                {...form.getInputProps(`shares.${row}.weight`)}
              />
              <Remove what={`team ${row + 1}`} onClick={() => form.removeListItem("shares", row)} />
            </div>
          ))}
          {form.errors.shares && <Input.Error>{form.errors.shares}</Input.Error>}
          <Add what="team" onClick={() => form.insertListItem("shares", { team: "", weight: 1 })} />
        </Stack>
        <Fields cols={2}>
          <NumberInput
            {...helped}
            allowNegative={false}
            label="Own weight"
            description="This team's, beside the others"
            {...form.getInputProps("weight")}
          />
          <Select
            {...helped}
            label="Isolation"
            description={ISOLATIONS.find(({ value }) => value === form.values.isolation)?.says}
            data={ISOLATIONS}
            {...form.getInputProps("isolation")}
          />
        </Fields>
      </Stack>
    </Fieldset>
  );
}

export function Add({ what, onClick }: { what: string; onClick: () => void }) {
  return (
    <Button
      variant="default"
      size="xs"
      w="fit-content"
      leftSection={<IconPlus size={14} aria-hidden />}
      onClick={onClick}
    >
      Add {what}
    </Button>
  );
}

export function Remove({ what, onClick }: { what: string; onClick: () => void }) {
  return (
    <ActionIcon variant="subtle" color="gray" size={36} aria-label={`Remove ${what}`} onClick={onClick}>
      <IconTrash size={16} />
    </ActionIcon>
  );
}
