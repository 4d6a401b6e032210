/** A trigger while it is being written: every kind's settings side by side, so that none is lost by looking at another. */
import type { Trigger, TriggerKind } from "@/api/types";
import type { ParamsSchema } from "@/features/workflows/params";

export interface Draft {
  kind: TriggerKind;
  workflow: string;
  name: string;
  enabled: boolean;
  cron: string;
  timezone: string;
  catchUp: string;
  overlap: string;
  signatureHeader: string;
  source: string;
  states: string[];
  /** An expression for each param, as typed. */
  map: Record<string, string>;
}

export function draftOf(trigger: Trigger | undefined, workflow = ""): Draft {
  const draft: Draft = {
    kind: "schedule",
    workflow,
    name: "",
    enabled: true,
    cron: "0 6 * * *",
    timezone: Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC",
    catchUp: "last",
    overlap: "queue",
    signatureHeader: "",
    source: "",
    states: ["completed"],
    map: {},
  };
  if (!trigger) return draft;
  const known = { ...draft, ...pick(trigger) };
  if (trigger.kind === "schedule") {
    const { cron, timezone = "UTC", catch_up = "last", overlap = "queue" } = trigger.config;
    return { ...known, cron, timezone, catchUp: catch_up, overlap };
  }
  const map = typedMap(trigger.config.map ?? {});
  if (trigger.kind === "webhook") {
    return { ...known, map, signatureHeader: trigger.config.signature_header ?? "" };
  }
  return { ...known, map, source: trigger.config.workflow, states: trigger.config.states };
}

function pick({ kind, workflow, name, enabled }: Trigger) {
  return { kind, workflow, name, enabled };
}

/** What the API takes as `config`. */
export function configOf(draft: Draft): Record<string, unknown> {
  if (draft.kind === "schedule") {
    const { cron, timezone, catchUp, overlap } = draft;
    return { cron: cron.trim(), timezone, catch_up: catchUp, overlap };
  }
  const map = mapOf(draft.map);
  const mapped = Object.keys(map).length > 0 ? { map } : {};
  if (draft.kind === "webhook") {
    const header = draft.signatureHeader.trim();
    return { ...(header ? { signature_header: header } : {}), ...mapped };
  }
  return { workflow: draft.source, states: draft.states, ...mapped };
}

function typedMap(map: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(map).map(([name, value]) => [
      name,
      typeof value === "string" ? value : JSON.stringify(value),
    ]),
  );
}

/** What was typed as values: JSON where it is some, else a text, which may hold expressions. Empty ones are left out. */
export function mapOf(typed: Record<string, string>): Record<string, unknown> {
  const filled = Object.entries(typed).filter(([, text]) => text.trim() !== "");
  return Object.fromEntries(filled.map(([name, text]) => [name, valueOf(text.trim())]));
}

function valueOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/**
 * The schema of the params that are the same for every run. Where a payload brings params, none of these is
 * required, and none is filled in by itself: a fixed one would win over what was sent.
 */
export function formSchemaFor(draft: Draft, schema: ParamsSchema): ParamsSchema | null {
  if (draft.kind === "schedule") return schema;
  const mapped = new Set(Object.keys(mapOf(draft.map)));
  const left = Object.entries(schema.properties ?? {}).filter(([name]) => !mapped.has(name));
  if (left.length === 0) return null;
  const properties = Object.fromEntries(left.map(([name, property]) => [name, withoutDefault(property)]));
  return { ...leaving(schema, "required"), properties };
}

function withoutDefault(property: unknown): unknown {
  if (typeof property !== "object" || property === null) return property;
  return leaving(property as Record<string, unknown>, "default");
}

function leaving(object: Record<string, unknown>, name: string): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([field]) => field !== name));
}
