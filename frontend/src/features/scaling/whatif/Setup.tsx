import {
  Button,
  Checkbox,
  Collapse,
  FileInput,
  NumberInput,
  SegmentedControl,
  Select,
  SimpleGrid,
  Stack,
  Title,
  UnstyledButton,
} from "@mantine/core";
import { useForm, type UseFormReturnType } from "@mantine/form";
import { IconChevronDown, IconChevronRight, IconPlayerPlay } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { ApiProblem } from "@/api/client";
import { keys } from "@/api/keys";
import { useRefusal } from "@/api/me";
import { createSimulation } from "@/api/simulations";
import { Allowed } from "@/components/Allowed";
import { ErrorNote } from "@/components/ErrorNote";
import { helped } from "@/features/pools/settings/sections";
import { type Draft, FRESH, placed, requestOf } from "./draft";
import classes from "./WhatIf.module.css";
import { OTHERS, OURS } from "./words";

interface Props {
  pool: string;
  onStarted: (id: string) => void;
}

type SetupForm = UseFormReturnType<Draft>;

const HOURS = [
  { value: "1", label: "The last hour" },
  { value: "6", label: "The last 6 hours" },
  { value: "24", label: "The last day" },
  { value: "168", label: "The last week" },
];

/** Which policies, on which arrivals, under which conditions. */
export function Setup({ pool, onStarted }: Props) {
  const client = useQueryClient();
  const refusal = useRefusal("editor");
  const form = useForm<Draft>({
    initialValues: FRESH,
    validate: {
      policies: (policies) => (policies.length === 0 ? "Choose one at least." : null),
      file: (file, { arrivals }) => (arrivals === "trace" && file === null ? "Choose a file." : null),
    },
  });
  const start = useMutation({
    mutationFn: async (draft: Draft) => {
      const trace = draft.arrivals === "trace" && draft.file ? await draft.file.text() : null;
      return createSimulation(requestOf(pool, draft, trace));
    },
    onSuccess: (made) => {
      void client.invalidateQueries({ queryKey: keys.simulations(pool) });
      onStarted(made.id);
    },
    onError: (error, draft) =>
      form.setErrors(error instanceof ApiProblem ? placed(error.errors, draft).at : {}),
  });
  const faults = start.error instanceof ApiProblem ? start.error.errors : [];
  const more = start.error && (faults.length === 0 || placed(faults, form.values).left.length > 0);
  return (
    <form onSubmit={form.onSubmit((draft) => start.mutate(draft))} aria-label="What to simulate" noValidate>
      <Stack gap={16}>
        <Title order={2}>What if</Title>
        <Arrivals form={form} />
        <Policies form={form} />
        <Conditions form={form} />
        {more && <ErrorNote error={start.error} title="It was not started" />}
        <Allowed refusal={refusal} says="Runs apart from the real pool; it takes seconds to minutes">
          {(may) => (
            <Button
              {...may}
              type="submit"
              loading={start.isPending}
              leftSection={<IconPlayerPlay size={16} aria-hidden />}
            >
              Run
            </Button>
          )}
        </Allowed>
      </Stack>
    </form>
  );
}

function Arrivals({ form }: { form: SetupForm }) {
  const { arrivals } = form.values;
  return (
    <Stack gap={8}>
      <SegmentedControl
        aria-label="Arrivals"
        data={[
          { value: "history", label: "This pool’s history" },
          { value: "trace", label: "A CSV file" },
        ]}
        value={arrivals}
        onChange={(value) => form.setFieldValue("arrivals", value as Draft["arrivals"])}
      />
      {arrivals === "history" ? (
        <Select
          aria-label="How much of its history"
          data={HOURS}
          {...form.getInputProps("hours")}
          error={form.errors.arrivals ?? form.errors.hours}
        />
      ) : (
        <FileInput
          {...helped}
          aria-label="File"
          placeholder="Choose a file"
          description="Columns second_offset and count: how many came in each stretch of time"
          accept=".csv,text/csv"
          clearable
          {...form.getInputProps("file")}
        />
      )}
    </Stack>
  );
}

function Policies({ form }: { form: SetupForm }) {
  const group = (title: string, choices: typeof OURS) => (
    <Stack gap={6}>
      <Title order={3}>{title}</Title>
      {choices.map(({ value, label, says }) => (
        <Checkbox key={value} value={value} label={label} description={says} />
      ))}
    </Stack>
  );
  return (
    <Checkbox.Group aria-label="Policies" {...form.getInputProps("policies")}>
      <Stack gap={16}>
        {group("Policies", OURS)}
        {group("Beside well-known autoscalers", OTHERS)}
      </Stack>
    </Checkbox.Group>
  );
}

/** Left empty, they are as the pool was. */
function Conditions({ form }: { form: SetupForm }) {
  const atFault = ["seeds", "slo_wait", "service_mean", "service_cv", "start_time", "max_size", "price"].some(
    (name) => form.errors[name] !== undefined,
  );
  const [wanted, setWanted] = useState(false);
  const open = wanted || atFault;
  const Icon = open ? IconChevronDown : IconChevronRight;
  const amount = { ...helped, allowNegative: false, placeholder: "as it was" } as const;
  return (
    <div>
      <UnstyledButton onClick={() => setWanted(!open)} aria-expanded={open}>
        <Icon size={14} aria-hidden /> Conditions
      </UnstyledButton>
      <Collapse expanded={open}>
        <Stack gap={12} pt={12}>
          <p className={classes.quiet}>Fields that are left empty are as the pool was.</p>
          <SimpleGrid cols={2} spacing={12} verticalSpacing={12}>
            <NumberInput
              {...amount}
              label="Good enough"
              description="The longest wait"
              suffix=" s"
              {...form.getInputProps("slo_wait")}
            />
            <NumberInput
              {...amount}
              label="Draws"
              description="More: surer figures"
              allowDecimal={false}
              {...form.getInputProps("seeds")}
            />
            <NumberInput
              {...amount}
              label="Length of a lease"
              description="Its mean"
              suffix=" s"
              {...form.getInputProps("service_mean")}
            />
            <NumberInput
              {...amount}
              label="Its variation"
              description="0: all alike; 1: usual"
              placeholder="1"
              {...form.getInputProps("service_cv")}
            />
            <NumberInput
              {...amount}
              label="Start of an agent"
              description="Until it serves"
              suffix=" s"
              {...form.getInputProps("start_time")}
            />
            <NumberInput
              {...amount}
              label="Maximum"
              description="Agents of any policy"
              allowDecimal={false}
              {...form.getInputProps("max_size")}
            />
            <NumberInput
              {...amount}
              label="Price"
              description="Of an agent-hour"
              {...form.getInputProps("price")}
            />
          </SimpleGrid>
        </Stack>
      </Collapse>
    </div>
  );
}
