import { Anchor, Fieldset, NumberInput, Stack, Switch, TagsInput, Textarea } from "@mantine/core";
import { Fields, helped } from "@/features/pools/settings/sections";
import { UnitInput } from "@/features/pools/settings/UnitInput";
import { TIMES } from "@/features/pools/settings/units";
import type { GroupForm } from "./draft";
import classes from "./Groups.module.css";

const whole = { ...helped, allowDecimal: false, allowNegative: false } as const;

export function MachineFields({ form }: { form: GroupForm }) {
  return (
    <Fieldset legend="Machines">
      <Stack gap={16}>
        <Fields cols={2}>
          <NumberInput
            {...whole}
            label="Minimum"
            description="Machines that are always there"
            {...form.getInputProps("min")}
          />
          <NumberInput
            {...whole}
            label="Maximum"
            description="Never more, whatever agents need"
            {...form.getInputProps("max")}
          />
          <UnitInput
            {...helped}
            label="Empty for"
            description="So long without an agent, and a machine goes"
            units={TIMES}
            {...form.getInputProps("idle_timeout")}
          />
          <UnitInput
            {...helped}
            label="Time to join"
            description="One that is no node by then is ended"
            units={TIMES}
            {...form.getInputProps("join_timeout")}
          />
        </Fields>
        <TagsInput
          {...helped}
          label="Zones"
          description="Where they may be; empty: wherever they are cheapest"
          {...form.getInputProps("zones")}
        />
      </Stack>
    </Fieldset>
  );
}

export function SpotFields({ form }: { form: GroupForm }) {
  const off = !form.values.prefer_spot;
  return (
    <Fieldset legend="Spot">
      <Stack gap={16}>
        <Switch
          label="Spot above the base"
          description="Machines that cost less, and that their cloud may take away with notice"
          {...form.getInputProps("prefer_spot", { type: "checkbox" })}
        />
        <Switch
          label="On demand while there is no spot"
          description="And back to spot later; without it agents wait"
          disabled={off}
          {...form.getInputProps("spot_fallback", { type: "checkbox" })}
        />
        <Fields cols={2}>
          <NumberInput
            {...whole}
            label="Base on demand"
            description="Machines before any is spot"
            placeholder="needed half of the time"
            disabled={off}
            {...form.getInputProps("on_demand_base")}
          />
          <NumberInput
            {...helped}
            allowNegative={false}
            decimalScale={6}
            label="Highest price of spot"
            description="Of a machine-hour, in the installation’s currency"
            placeholder="less than on demand"
            disabled={off}
            {...form.getInputProps("max_price")}
          />
        </Fields>
      </Stack>
    </Fieldset>
  );
}

export function TemplateField({ form }: { form: GroupForm }) {
  return (
    <Textarea
      {...helped}
      className={classes.mono}
      label="Template"
      description={
        <>
          What machines are made of from now on, in the provider’s terms:{" "}
          <Anchor inherit href="/docs/howto/swarm/#machines-that-come-and-go" target="_blank">
            its fields
          </Anchor>
        </>
      }
      autosize
      minRows={4}
      maxRows={16}
      spellCheck={false}
      {...form.getInputProps("template")}
    />
  );
}
