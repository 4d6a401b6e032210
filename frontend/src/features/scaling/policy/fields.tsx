import {
  Checkbox,
  Fieldset,
  NumberInput,
  SegmentedControl,
  Select,
  Stack,
  Switch,
  Text,
} from "@mantine/core";
import type { PolicyValues, Pool } from "@/api/types";
import { Fields, helped } from "@/features/pools/settings/sections";
import { UnitInput } from "@/features/pools/settings/UnitInput";
import { PERCENT, TIMES, unitFor } from "@/features/pools/settings/units";
import { count } from "@/format";
import type { AmountName, PolicyForm } from "./draft";
import { METRICS, MODES, PREDICTORS, PRESETS } from "./words";

interface Props {
  form: PolicyForm;
  /** What counts where a field is left empty. */
  preset: PolicyValues | undefined;
}

const whole = { ...helped, allowDecimal: false, allowNegative: false } as const;

/** What an empty field means: "usually 70 %". */
function usual(preset: PolicyValues | undefined, name: AmountName): string {
  const value = preset?.[name];
  if (value === null || value === undefined) return "any number";
  return count(value);
}

function usualShare(preset: PolicyValues | undefined, name: AmountName): string {
  return `${Math.round(Number(preset?.[name] ?? 0) * 100)} %`;
}

function usualTime(preset: PolicyValues | undefined, name: AmountName): string {
  const value = Number(preset?.[name] ?? 0);
  const unit = unitFor(TIMES.slice(0, 1), value);
  return count(value / unit.factor);
}

export function PresetFields({ form }: { form: PolicyForm }) {
  const { preset, mode } = form.values;
  return (
    <Fields cols={2}>
      <Select
        {...helped}
        label="Preset"
        description={PRESETS.find(({ value }) => value === preset)?.says}
        data={PRESETS}
        {...form.getInputProps("preset")}
      />
      <Stack gap={4}>
        <Text size="sm" fw={500} id="policy-mode">
          Mode
        </Text>
        <SegmentedControl aria-labelledby="policy-mode" data={MODES} {...form.getInputProps("mode")} />
        <Text size="xs" c="dimmed">
          {MODES.find(({ value }) => value === mode)?.says}
        </Text>
      </Stack>
    </Fields>
  );
}

export function SizeFields({ form, preset, pool }: Props & { pool: Pool | undefined }) {
  return (
    <Fieldset legend="Size">
      <Stack gap={16}>
        <Fields cols={3}>
          <NumberInput
            {...whole}
            label="Minimum"
            description="Kept even when nobody asks"
            placeholder={pool && `the pool’s: ${pool.min_size}`}
            {...form.getInputProps("min")}
          />
          <NumberInput
            {...whole}
            label="Maximum"
            description="Never more, whatever the load"
            placeholder={pool && `the pool’s: ${pool.max_size}`}
            {...form.getInputProps("max")}
          />
          <NumberInput
            {...whole}
            label="Always free"
            description="Agents above those at work"
            placeholder={usual(preset, "min_idle")}
            {...form.getInputProps("min_idle")}
          />
        </Fields>
        <Switch
          label="Down to zero"
          description="When nobody asks for agents for a while, even the last one ends"
          {...form.getInputProps("scale_to_zero", { type: "checkbox" })}
        />
        <Switch
          label="Prediction"
          description="A forecast of the load is a floor of the size, for as long as it does better than none"
          {...form.getInputProps("prediction", { type: "checkbox" })}
        />
        <Fields cols={2}>
          <Select
            {...helped}
            label="Forecaster"
            description={PREDICTORS.find(({ value }) => value === form.values.predictor)?.says}
            data={PREDICTORS}
            disabled={!form.values.prediction}
            {...form.getInputProps("predictor")}
          />
          <NumberInput
            {...helped}
            min={0}
            decimalScale={6}
            label="Most for an hour"
            description="Of all its agents, in the installation’s currency"
            placeholder="no limit"
            {...form.getInputProps("max_cost_per_hour")}
          />
        </Fields>
        <Switch
          label="Spot above what is usual"
          description="Agents above the usual number go to nodes that cost less and may be taken away"
          {...form.getInputProps("prefer_spot", { type: "checkbox" })}
        />
        <Switch
          label="Other nodes where there is no spot"
          description="Else these agents wait for spot nodes"
          disabled={!form.values.prefer_spot}
          {...form.getInputProps("spot_fallback", { type: "checkbox" })}
        />
      </Stack>
    </Fieldset>
  );
}

export function LoadFields({ form, preset }: Props) {
  return (
    <Fieldset legend="What asks for agents">
      <Stack gap={16}>
        <Checkbox.Group
          aria-label="What asks for agents"
          description="Each gives its own wish; the largest counts"
          {...form.getInputProps("metrics")}
        >
          <Stack gap={8} mt={8}>
            {METRICS.map(({ value, label, says }) => (
              <Checkbox key={value} value={value} label={label} description={says} />
            ))}
          </Stack>
        </Checkbox.Group>
        <Fields cols={3}>
          <UnitInput
            {...helped}
            label="Target utilization"
            description="Lower: shorter waits, higher costs"
            units={PERCENT}
            placeholder={usualShare(preset, "target_utilization")}
            {...form.getInputProps("target_utilization")}
          />
          <UnitInput
            {...helped}
            label="Upper threshold"
            description="Busier than this: more agents (by utilization)"
            units={PERCENT}
            placeholder={usualShare(preset, "scale_up_threshold")}
            {...form.getInputProps("scale_up_threshold")}
          />
          <UnitInput
            {...helped}
            label="Lower threshold"
            description="Quieter than this: fewer (by utilization)"
            units={PERCENT}
            placeholder={usualShare(preset, "scale_down_threshold")}
            {...form.getInputProps("scale_down_threshold")}
          />
        </Fields>
      </Stack>
    </Fieldset>
  );
}

export function PaceFields({ form, preset }: Props) {
  return (
    <Fieldset legend="How fast it follows">
      <Fields cols={3}>
        <UnitInput
          {...helped}
          label="Up window"
          description="A wish for more must hold so long"
          units={TIMES}
          placeholder={usualTime(preset, "up_window")}
          {...form.getInputProps("up_window")}
        />
        <UnitInput
          {...helped}
          label="Down window"
          description="So long after the last need, agents leave"
          units={TIMES}
          placeholder={usualTime(preset, "down_window")}
          {...form.getInputProps("down_window")}
        />
        <UnitInput
          {...helped}
          label="Cooldown"
          description="No decrease so long after an increase"
          units={TIMES}
          placeholder={usualTime(preset, "cooldown")}
          {...form.getInputProps("cooldown")}
        />
        <NumberInput
          {...whole}
          label="Most added at once"
          description="In one decision"
          placeholder={usual(preset, "step_up")}
          {...form.getInputProps("step_up")}
        />
        <NumberInput
          {...whole}
          label="Most removed at once"
          description="In one decision"
          placeholder={usual(preset, "step_down")}
          {...form.getInputProps("step_down")}
        />
        <UnitInput
          {...helped}
          label="Dead band"
          description="Smaller differences are left alone"
          units={PERCENT}
          placeholder={usualShare(preset, "dead_band")}
          {...form.getInputProps("dead_band")}
        />
        <NumberInput
          {...helped}
          allowNegative={false}
          label="Growth factor"
          description="At most, while one agent starts"
          placeholder={usual(preset, "scale_up_rate")}
          {...form.getInputProps("scale_up_rate")}
        />
        <UnitInput
          {...helped}
          label="Shrinking"
          description="At most this part in one decision"
          units={PERCENT}
          placeholder={usualShare(preset, "scale_down_rate")}
          {...form.getInputProps("scale_down_rate")}
        />
      </Fields>
    </Fieldset>
  );
}
