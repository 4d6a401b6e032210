import type { UseFormReturnType } from "@mantine/form";
import type { Fault, NewPolicy, Policy, PolicyFields, PolicyInForce, PolicyValues } from "@/api/types";
import type { Amount } from "@/features/pools/settings/draft";

export const AMOUNTS = [
  "min",
  "max",
  "min_idle",
  "target_utilization",
  "scale_up_threshold",
  "scale_down_threshold",
  "cooldown",
  "up_window",
  "down_window",
  "dead_band",
  "step_up",
  "step_down",
  "scale_up_rate",
  "scale_down_rate",
  "max_cost_per_hour",
] as const;
export type AmountName = (typeof AMOUNTS)[number];

type Metric = PolicyValues["metrics"][number];

/** What stands in the form; an empty amount is the preset's. Seconds and shares of one. */
export interface Draft extends Record<AmountName, Amount> {
  preset: Policy["preset"];
  mode: Policy["mode"];
  metrics: Metric[];
  scale_to_zero: boolean;
  prediction: boolean;
  predictor: PolicyValues["predictor"];
  prefer_spot: boolean;
  spot_fallback: boolean;
}

export type PolicyForm = UseFormReturnType<Draft>;

/** The policy as it is; one that nobody wrote is the preset `balanced`, or off where nothing is steered. */
export function draftOf({ policy, steered }: PolicyInForce, presets: Record<string, PolicyValues>): Draft {
  const preset = policy?.preset ?? "balanced";
  const values = policy?.values ?? {};
  const amounts = Object.fromEntries(AMOUNTS.map((name) => [name, values[name] ?? ""]));
  return {
    ...(amounts as Record<AmountName, Amount>),
    preset,
    mode: policy?.mode ?? (steered ? "act" : "off"),
    metrics: values.metrics ?? presets[preset]?.metrics ?? [],
    prediction:
      values.prediction === undefined ? (presets[preset]?.prediction ?? false) : values.prediction === "on",
    predictor: values.predictor ?? presets[preset]?.predictor ?? "naive",
    scale_to_zero: values.scale_to_zero ?? presets[preset]?.scale_to_zero ?? true,
    prefer_spot: values.prefer_spot ?? presets[preset]?.prefer_spot ?? false,
    spot_fallback: values.spot_fallback ?? presets[preset]?.spot_fallback ?? true,
  };
}

/** The fields by the API's names; null goes back to the preset's value. */
function fieldsOf(draft: Draft, presets: Record<string, PolicyValues>): PolicyFields {
  const amounts = Object.fromEntries(
    AMOUNTS.map((name) => [name, draft[name] === "" ? null : Number(draft[name])]),
  ) as Record<AmountName, number | null>;
  const preset = presets[draft.preset];
  const sameMetrics = [...draft.metrics].sort().join() === [...(preset?.metrics ?? [])].sort().join();
  return {
    ...amounts,
    preset: draft.preset,
    mode: draft.mode,
    metrics: sameMetrics ? null : draft.metrics,
    prediction: draft.prediction === preset?.prediction ? null : draft.prediction ? "on" : "off",
    predictor: draft.predictor === preset?.predictor ? null : draft.predictor,
    scale_to_zero: draft.scale_to_zero === preset?.scale_to_zero ? null : draft.scale_to_zero,
    prefer_spot: draft.prefer_spot === preset?.prefer_spot ? null : draft.prefer_spot,
    spot_fallback: draft.spot_fallback === preset?.spot_fallback ? null : draft.spot_fallback,
  };
}

/** What differs from the pool's own policy: this alone is sent. */
export function changesOf(draft: Draft, before: Draft, presets: Record<string, PolicyValues>): PolicyFields {
  const was: Record<string, unknown> = fieldsOf(before, presets);
  const is = Object.entries(fieldsOf(draft, presets));
  return Object.fromEntries(
    is.filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(was[name])),
  );
}

/** A new one for the pool: only what is set beside the preset. */
export function newPolicy(pool: string, draft: Draft, presets: Record<string, PolicyValues>): NewPolicy {
  const set = Object.entries(fieldsOf(draft, presets)).filter(([, value]) => value !== null);
  return { pool, ...Object.fromEntries(set) };
}

/** The server's faults at the form's fields; `left` are those that no field is to blame for. */
export function placed(errors: Fault[]): { at: Record<string, string>; left: Fault[] } {
  const at: Record<string, string> = {};
  const left: Fault[] = [];
  for (const fault of errors) {
    const [name = ""] = fault.path.split(/[.[\]]+/).filter(Boolean);
    const known =
      (AMOUNTS as readonly string[]).includes(name) ||
      ["preset", "mode", "metrics", "prediction", "predictor"].includes(name);
    if (known) at[name] = [at[name], inLabels(fault.message)].filter(Boolean).join(" ");
    else left.push(fault);
  }
  return { at, left };
}

/** How the form calls what the server's sentences name. */
const NAMES: Record<string, string> = {
  scale_up_threshold: "the upper threshold",
  scale_down_threshold: "the lower threshold",
  queue_depth: "queue depth",
  response_time: "response time",
};

function inLabels(message: string): string {
  return message.replace(/\b[a-z]+(?:_[a-z]+)+\b/g, (name) => NAMES[name] ?? name.replaceAll("_", " "));
}
