import {
  Fieldset,
  NumberInput,
  type NumberInputProps,
  Select,
  SimpleGrid,
  Stack,
  Switch,
  TextInput,
} from "@mantine/core";
import type { ReactNode } from "react";
import type { PoolForm } from "./draft";
import { CUSTOM, PRESETS, presetOf } from "./presets";
import { UnitInput } from "./UnitInput";
import { MEMORY, PERCENT, TIMES } from "./units";
import { ASSIGNMENTS, CAPACITIES, LEAVING, PRESET_WORDS } from "./words";

export interface SectionProps {
  form: PoolForm;
}

/** The sentence of help stands below its field, so that fields side by side are level. */
export const helped: Pick<NumberInputProps, "inputWrapperOrder"> = {
  inputWrapperOrder: ["label", "input", "description", "error"],
};

/** Fields side by side where there is room. */
export function Fields({ cols, children }: { cols: number; children: ReactNode }) {
  return (
    <SimpleGrid cols={{ base: 1, xs: 2, sm: cols }} spacing={16} verticalSpacing={16}>
      {children}
    </SimpleGrid>
  );
}

const whole = { allowDecimal: false, allowNegative: false } as const;

export function SizeFields({ form }: SectionProps) {
  return (
    <Fieldset legend="Size">
      <Stack gap={16}>
        <Fields cols={3}>
          <NumberInput
            {...whole}
            {...helped}
            label="Minimum size"
            description="Agents kept warm"
            {...form.getInputProps("min_size")}
          />
          <NumberInput
            {...whole}
            {...helped}
            label="Maximum size"
            description="Never more agents than this"
            {...form.getInputProps("max_size")}
          />
          <NumberInput
            {...whole}
            {...helped}
            label="Leases per agent"
            description="At once, if its image can"
            {...form.getInputProps("concurrency")}
          />
        </Fields>
        <Switch
          label="Warm up"
          description="Starts the minimum before the first lease asks for it"
          {...form.getInputProps("warm_up", { type: "checkbox" })}
        />
      </Stack>
    </Fieldset>
  );
}

export function LifeFields({ form }: SectionProps) {
  const preset = presetOf(form.values);
  const fill = (name: string | null) => form.setValues({ ...PRESETS[name ?? CUSTOM] });
  return (
    <Fieldset legend="Life of agents">
      <Fields cols={2}>
        <Select
          {...helped}
          label="Preset"
          description="Fills in the next five fields; change them as you like"
          data={preset === CUSTOM ? PRESET_WORDS : PRESET_WORDS.filter(({ value }) => value !== CUSTOM)}
          value={preset}
          onChange={fill}
        />
        <UnitInput
          {...helped}
          label="Idle time-out"
          description="Without work, above the minimum: then it ends"
          units={TIMES}
          {...form.getInputProps("idle_timeout")}
        />
        <NumberInput
          {...whole}
          {...helped}
          label="Uses per agent"
          description="Requests until it is replaced"
          {...form.getInputProps("max_uses")}
        />
        <UnitInput
          {...helped}
          label="Age"
          description="An older agent is replaced, by one that is ready first"
          units={TIMES}
          {...form.getInputProps("max_age")}
        />
        <UnitInput
          {...helped}
          label="Memory in use"
          description="Above this part of its memory it is replaced"
          units={PERCENT}
          {...form.getInputProps("memory_threshold")}
        />
        <NumberInput
          {...whole}
          {...helped}
          label="Errors in a row"
          description="Failed leases until it is replaced; 0: any number"
          {...form.getInputProps("error_threshold")}
        />
        <UnitInput
          {...helped}
          label="Time between checks"
          description="How often idle agents are asked for their health"
          units={TIMES}
          {...form.getInputProps("health_check_interval")}
        />
        <UnitInput
          {...helped}
          label="Time to finish"
          description="What an agent that must leave gets to finish"
          units={TIMES}
          {...form.getInputProps("graceful_shutdown")}
        />
      </Fields>
    </Fieldset>
  );
}

export function AssignmentFields({ form }: SectionProps) {
  const { assignment, scale_down_order } = form.values;
  return (
    <Fieldset legend="Assignment">
      <Fields cols={2}>
        <Select
          {...helped}
          label="The next lease gets"
          description={ASSIGNMENTS.find(({ value }) => value === assignment)?.says}
          data={ASSIGNMENTS}
          {...form.getInputProps("assignment")}
        />
        <Select
          {...helped}
          label="Who leaves first"
          description={LEAVING.find(({ value }) => value === scale_down_order)?.says}
          data={LEAVING}
          {...form.getInputProps("scale_down_order")}
        />
      </Fields>
    </Fieldset>
  );
}

export function ResourceFields({ form }: SectionProps) {
  return (
    <Fieldset legend="Resources of each agent">
      <Fields cols={3}>
        <NumberInput
          {...helped}
          allowNegative={false}
          label="CPU"
          description="Cores, at most"
          step={0.5}
          {...form.getInputProps("cpu")}
        />
        <UnitInput
          {...helped}
          label="Memory"
          description="At most; above it the agent is ended"
          units={MEMORY}
          {...form.getInputProps("memory")}
        />
        <NumberInput
          {...whole}
          {...helped}
          label="Processes"
          description="Threads included, at most"
          {...form.getInputProps("pids")}
        />
        <NumberInput
          {...helped}
          allowNegative={false}
          label="Price"
          description="Of an agent-hour; estimates of workflows count with it"
          {...form.getInputProps("price")}
        />
      </Fields>
    </Fieldset>
  );
}

export function PlacementFields({ form }: SectionProps) {
  return (
    <Fieldset legend="Nodes">
      <Fields cols={2}>
        <Select
          {...helped}
          label="Capacity type"
          description={CAPACITIES.find(({ value }) => value === form.values.capacity_type)?.says}
          data={CAPACITIES}
          {...form.getInputProps("capacity_type")}
        />
        <TextInput
          {...helped}
          label="Zone"
          description="Of the nodes that its agents run on; empty for any"
          spellCheck={false}
          {...form.getInputProps("zone")}
        />
      </Fields>
    </Fieldset>
  );
}
