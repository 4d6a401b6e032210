import { Group, MultiSelect, Select, Stack, Text, TextInput } from "@mantine/core";
import { useMemo } from "react";
import type { ParamsSchema } from "@/features/workflows/params";
import { inWords, PRESETS } from "./cron";
import type { Draft } from "./draft";
import classes from "./Triggers.module.css";
import { CATCH_UP, knownZones, OVERLAP, STATES } from "./words";
import { WorkflowSelect } from "./WorkflowSelect";

interface Props {
  draft: Draft;
  set: (change: Partial<Draft>) => void;
  /** Of the params of the workflow that is started. */
  schema: ParamsSchema | null;
  faultAt: (path: string) => string | undefined;
}

/** The settings of the trigger's kind. */
export function ConfigFields(props: Props) {
  if (props.draft.kind === "schedule") return <ScheduleFields {...props} />;
  if (props.draft.kind === "webhook") return <WebhookFields {...props} />;
  return <EventFields {...props} />;
}

const OWN = "own";

function ScheduleFields({ draft, set, faultAt }: Props) {
  const zones = useMemo(() => knownZones(), []);
  const preset = PRESETS.some(({ value }) => value === draft.cron) ? draft.cron : OWN;
  const words = inWords(draft.cron);
  return (
    <Stack gap={16}>
      <Group grow align="flex-start" gap={16}>
        <Select
          label="How often"
          data={[...PRESETS, { value: OWN, label: "As the cron line says" }]}
          value={preset}
          onChange={(value) => value && value !== OWN && set({ cron: value })}
        />
        <TextInput
          label="Cron line"
          description={words ? `${words}.` : "minute, hour, day of month, month, day of week"}
          inputWrapperOrder={["label", "input", "description", "error"]}
          styles={{ input: { fontFamily: "var(--af-mono)" } }}
          spellCheck={false}
          autoComplete="off"
          value={draft.cron}
          onChange={(event) => set({ cron: event.currentTarget.value })}
          error={faultAt("config.cron")}
        />
      </Group>
      <Select
        label="Time zone"
        description="The line is read on this zone's clock, summer time included"
        data={zones.includes(draft.timezone) ? zones : [draft.timezone, ...zones]}
        value={draft.timezone}
        onChange={(zone) => set({ timezone: zone ?? "UTC" })}
        searchable
        limit={50}
        error={faultAt("config.timezone")}
      />
      <Group grow align="flex-start" gap={16}>
        <Select
          label="Missed in a down-time"
          data={CATCH_UP}
          value={draft.catchUp}
          onChange={(value) => set({ catchUp: value ?? "last" })}
        />
        <Select
          label="While the last run goes on"
          data={OVERLAP}
          value={draft.overlap}
          onChange={(value) => set({ overlap: value ?? "queue" })}
        />
      </Group>
    </Stack>
  );
}

function WebhookFields({ draft, set, schema, faultAt }: Props) {
  return (
    <Stack gap={16}>
      <TextInput
        label="Header of the signature (optional)"
        placeholder="X-Agentainer-Signature"
        value={draft.signatureHeader}
        onChange={(event) => set({ signatureHeader: event.currentTarget.value })}
        error={faultAt("config.signature_header")}
      />
      <Mapping
        draft={draft}
        set={set}
        schema={schema}
        faultAt={faultAt}
        example="${body.user.name}"
        about="Expressions over body and headers. All empty: the fields of the body are the params."
      />
    </Stack>
  );
}

function EventFields({ draft, set, schema, faultAt }: Props) {
  return (
    <Stack gap={16}>
      <Group grow align="flex-start" gap={16}>
        <WorkflowSelect
          label="When a run of"
          value={draft.source}
          onChange={(source) => set({ source })}
          error={faultAt("config.workflow")}
        />
        <MultiSelect
          label="ends like this"
          data={STATES}
          value={draft.states}
          onChange={(states) => set({ states })}
          error={faultAt("config.states")}
        />
      </Group>
      <Mapping
        draft={draft}
        set={set}
        schema={schema}
        faultAt={faultAt}
        example="${run.output.total}"
        about="Expressions over run, the one that has ended: run.output, run.params, run.id, run.state."
      />
    </Stack>
  );
}

interface MappingProps extends Props {
  example: string;
  about: string;
}

/** For each param of the workflow, where it comes from. */
function Mapping({ draft, set, schema, faultAt, example, about }: MappingProps) {
  const names = Object.keys({ ...schema?.properties, ...draft.map });
  if (draft.workflow === "" || names.length === 0) {
    return draft.workflow === "" ? null : (
      <Text size="sm" c="dimmed">
        {draft.workflow} takes no params: nothing is to be mapped.
      </Text>
    );
  }
  return (
    <fieldset className={classes.params}>
      <legend>Where params come from</legend>
      <p className={classes.hint}>{about}</p>
      <Stack gap={8}>
        {names.map((name, index) => (
          <TextInput
            key={name}
            label={name}
            placeholder={index === 0 ? example : undefined}
            styles={{ input: { fontFamily: "var(--af-mono)", fontSize: 12 } }}
            spellCheck={false}
            autoComplete="off"
            value={draft.map[name] ?? ""}
            onChange={(event) => set({ map: { ...draft.map, [name]: event.currentTarget.value } })}
            error={faultAt(`config.map.${name}`)}
          />
        ))}
      </Stack>
    </fieldset>
  );
}
