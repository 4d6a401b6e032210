import type { UseFormReturnType } from "@mantine/form";
import type { Fault, NodeGroup, NodeGroupFields } from "@/api/types";
import type { Amount } from "@/features/pools/settings/draft";

const AMOUNTS = ["min", "max", "idle_timeout", "join_timeout"] as const;
/** Empty: the platform chooses. */
const CHOICES = ["on_demand_base", "max_price"] as const;

/** A row of the form. Its template is what its machines have of their own, which the API alone changes. */
export interface TypeDraft {
  type: string;
  on_demand_price: Amount;
  interruption_risk: Amount;
  template: Record<string, unknown>;
}

/** What stands in the form. Seconds, prices per hour; the template as it is typed. */
export interface Draft extends Record<(typeof AMOUNTS)[number] | (typeof CHOICES)[number], Amount> {
  name: string;
  zones: string[];
  instance_types: TypeDraft[];
  prefer_spot: boolean;
  spot_fallback: boolean;
  template: string;
}

export type GroupForm = UseFormReturnType<Draft>;

export const NO_TYPE: TypeDraft = { type: "", on_demand_price: "", interruption_risk: "", template: {} };

export const FRESH: Draft = {
  name: "",
  min: 0,
  max: 10,
  zones: [],
  instance_types: [NO_TYPE],
  prefer_spot: true,
  on_demand_base: "",
  spot_fallback: true,
  max_price: "",
  idle_timeout: 300,
  join_timeout: 600,
  template: JSON.stringify({ image_id: "" }, null, 2),
};

export function draftOf(group: NodeGroup): Draft {
  return {
    name: group.name,
    min: group.min,
    max: group.max,
    zones: group.zones,
    instance_types: group.instance_types.map((kind) => ({
      type: kind.type,
      on_demand_price: kind.on_demand_price ?? "",
      interruption_risk: kind.interruption_risk ?? "",
      template: kind.template ?? {},
    })),
    prefer_spot: group.prefer_spot,
    on_demand_base: group.on_demand_base ?? "",
    spot_fallback: group.spot_fallback,
    max_price: group.max_price ?? "",
    idle_timeout: group.idle_timeout,
    join_timeout: group.join_timeout,
    template: JSON.stringify(group.template, null, 2),
  };
}

/** By the API's names. The template must have been checked. */
export function fieldsOf(draft: Draft): NodeGroupFields {
  const amounts = Object.fromEntries(AMOUNTS.map((name) => [name, Number(draft[name])]));
  const choices = Object.fromEntries(CHOICES.map((name) => [name, chosen(draft[name])]));
  return {
    ...amounts,
    ...choices,
    zones: draft.zones,
    instance_types: draft.instance_types.map((kind) => ({
      type: kind.type.trim(),
      on_demand_price: chosen(kind.on_demand_price),
      interruption_risk: chosen(kind.interruption_risk),
      template: kind.template,
    })),
    prefer_spot: draft.prefer_spot,
    spot_fallback: draft.spot_fallback,
    template: templateOf(draft.template) ?? {},
  };
}

const chosen = (value: Amount) => (value === "" ? null : Number(value));

/** What differs from how it was: this alone is sent. */
export function changesOf(draft: Draft, before: Draft): NodeGroupFields {
  const was: Record<string, unknown> = { ...fieldsOf(before) };
  const is = Object.entries(fieldsOf(draft));
  return Object.fromEntries(
    is.filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(was[name])),
  );
}

/** What can be told without the server. */
export function check(draft: Draft): Record<string, string> {
  const faults: Record<string, string> = {};
  for (const name of AMOUNTS) if (draft[name] === "") faults[name] = "This needs a number.";
  draft.instance_types.forEach(({ type }, row) => {
    if (type.trim() === "") faults[`instance_types.${row}.type`] = "This needs a type, such as m7g.large.";
  });
  if (templateOf(draft.template) === null) faults.template = "A JSON object is expected here: { … }.";
  return faults;
}

function templateOf(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    const good = typeof value === "object" && value !== null && !Array.isArray(value);
    return good ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** The server's faults at the form's fields; `left` are those that no field is to blame for. */
export function placed(errors: Fault[]): { at: Record<string, string>; left: Fault[] } {
  const at: Record<string, string> = {};
  const left: Fault[] = [];
  for (const fault of errors) {
    const [name = "", ...rest] = fault.path.split(/[.[\]]+/).filter(Boolean);
    const [field, message] = fieldOf(name, rest, fault.message);
    if (name in FRESH) at[field] = [at[field], message].filter(Boolean).join(" ");
    else left.push(fault);
  }
  return { at, left };
}

function fieldOf(name: string, [first, ...more]: string[], message: string): [string, string] {
  if (name === "template" && first) return [name, `${first}: ${message}`];
  if (name !== "instance_types" || !first) return [name, message];
  const [own = "type", part] = more;
  // What a type has of its own in its template stands at its name.
  return part
    ? [`${name}.${first}.type`, `${part}: ${message}`]
    : [`${name}.${first}.${own === "template" ? "type" : own}`, message];
}
