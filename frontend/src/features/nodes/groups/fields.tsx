import {
  Anchor,
  Fieldset,
  Input,
  NumberInput,
  Stack,
  Switch,
  TagsInput,
  Text,
  Textarea,
  TextInput,
} from "@mantine/core";
import { Add, Remove } from "@/features/pools/settings/rows";
import { Fields, helped } from "@/features/pools/settings/sections";
import { UnitInput } from "@/features/pools/settings/UnitInput";
import { TIMES } from "@/features/pools/settings/units";
import { type GroupForm, NO_TYPE } from "./draft";
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

/** Each row has its labels as names of its fields; what stands above them is for the eye. */
export function TypeFields({ form }: { form: GroupForm }) {
  const amounts = { allowNegative: false, decimalScale: 6, hideControls: true } as const;
  return (
    <Fieldset legend="Instance types">
      <Stack gap={8}>
        <Text size="sm" c="dimmed">
          Which its machines may be. Each is the one on which an agent costs the least; of spot with what
          interruptions cost. Where there is none of it, the next best is taken.
        </Text>
        {form.values.instance_types.length > 0 && (
          <div className={classes.type} data-head aria-hidden>
            <span>Type</span>
            <span>On demand, an hour</span>
            <span>Interruptions an hour</span>
          </div>
        )}
        {form.values.instance_types.map(({ template }, row) => (
          <div key={row} className={classes.type}>
            <TextInput
              aria-label={`Type ${row + 1}`}
              placeholder="m7g.large"
              spellCheck={false}
              autoComplete="off"
              {...form.getInputProps(`instance_types.${row}.type`)}
            />
            <NumberInput
              {...amounts}
              aria-label={`Price on demand of type ${row + 1}`}
              placeholder="as listed"
              {...form.getInputProps(`instance_types.${row}.on_demand_price`)}
            />
            <NumberInput
              {...amounts}
              aria-label={`Interruptions an hour of type ${row + 1}`}
              placeholder="as seen"
              {...form.getInputProps(`instance_types.${row}.interruption_risk`)}
            />
            <Remove what={`type ${row + 1}`} onClick={() => form.removeListItem("instance_types", row)} />
            {Object.keys(template).length > 0 && (
              <span className={classes.own}>Of its own: {Object.keys(template).join(", ")}</span>
            )}
          </div>
        ))}
        {form.errors.instance_types && <Input.Error>{form.errors.instance_types}</Input.Error>}
        <Add what="type" onClick={() => form.insertListItem("instance_types", NO_TYPE)} />
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
