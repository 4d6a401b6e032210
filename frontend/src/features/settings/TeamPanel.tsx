import { Button, Group, NumberInput, Skeleton, Stack, Text, TextInput } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { faultAt } from "@/api/client";
import { keys } from "@/api/keys";
import { me, useRefusal } from "@/api/me";
import { changeTeam, teamDetail } from "@/api/teams";
import type { TeamDetail } from "@/api/types";
import { Allowed } from "@/components/Allowed";
import { ErrorNote } from "@/components/ErrorNote";
import { plural } from "@/format";
import { Section } from "./Section";

/** The team's name and limits; admins change them. */
export function TeamPanel() {
  const slug = useQuery(me).data?.team.slug ?? "";
  const team = useQuery({ ...teamDetail(slug), enabled: slug !== "" });
  if (team.error) return <ErrorNote error={team.error} onRetry={() => void team.refetch()} />;
  if (!team.data) return <Skeleton h={240} />;
  return <TeamForm key={JSON.stringify(team.data)} team={team.data} />;
}

function TeamForm({ team }: { team: TeamDetail }) {
  const client = useQueryClient();
  const refusal = useRefusal("admin");
  const [name, setName] = useState(team.name);
  const [runs, setRuns] = useState<number | string>(team.max_concurrent_runs ?? "");
  const [days, setDays] = useState<number | string>(team.retention_days ?? "");
  const save = useMutation({
    mutationFn: () =>
      changeTeam(team.slug, {
        name: name.trim(),
        max_concurrent_runs: runs === "" ? null : Number(runs),
        retention_days: days === "" ? null : Number(days),
      }),
    onSuccess: (saved) => {
      client.setQueryData(keys.team(team.slug), saved);
      void client.invalidateQueries({ queryKey: keys.me() });
      notifications.show({ message: "The team's settings are saved." });
    },
  });
  const fault = (path: string) => faultAt(save.error, path);
  const known = ["name", "max_concurrent_runs", "retention_days"].some(fault);
  const changed =
    name.trim() !== team.name ||
    String(runs) !== String(team.max_concurrent_runs ?? "") ||
    String(days) !== String(team.retention_days ?? "");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  const off = refusal !== null;
  return (
    <form onSubmit={submit}>
      <Section title="Team" about="How the team is called everywhere.">
        <TextInput
          label="Name of the team"
          maw={360}
          maxLength={120}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          disabled={off}
          error={fault("name")}
        />
      </Section>
      <Section title="Limits" about="What all workflows of the team share.">
        <Stack gap={16}>
          <NumberInput
            label="Runs at a time, at most"
            description="Further runs wait for their turn, the higher priority first. Empty: no limit of the team's own."
            placeholder="no limit"
            maw={360}
            min={1}
            max={100_000}
            allowDecimal={false}
            value={runs}
            onChange={setRuns}
            disabled={off}
            error={fault("max_concurrent_runs")}
          />
          <NumberInput
            label="Days that runs are kept"
            description={`Older runs are deleted with their items, logs and events. Empty: as on the platform, ${plural(team.platform_retention_days, "day")}.`}
            placeholder={String(team.platform_retention_days)}
            maw={360}
            min={1}
            max={36_500}
            allowDecimal={false}
            value={days}
            onChange={setDays}
            disabled={off}
            error={fault("retention_days")}
          />
          {refusal && (
            <Text size="sm" c="dimmed">
              {refusal}
            </Text>
          )}
          {save.error && !known && <ErrorNote error={save.error} title="The settings were not saved" />}
          <Group>
            <Allowed refusal={refusal}>
              {(may) => (
                <Button
                  {...may}
                  type="submit"
                  disabled={may.disabled || !changed || name.trim() === ""}
                  loading={save.isPending}
                >
                  Save
                </Button>
              )}
            </Allowed>
          </Group>
        </Stack>
      </Section>
    </form>
  );
}
