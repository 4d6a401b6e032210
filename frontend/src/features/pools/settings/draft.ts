import type { UseFormReturnType } from "@mantine/form";
import type { Pool, PoolSettings } from "@/api/types";

/** A number as it is typed: "" while the field is empty. */
export type Amount = number | string;

const AMOUNTS = [
  "min_size",
  "max_size",
  "concurrency",
  "idle_timeout",
  "max_uses",
  "max_age",
  "memory_threshold",
  "error_threshold",
  "health_check_interval",
  "graceful_shutdown",
  "cpu",
  "memory",
  "pids",
  "weight",
] as const;

type AmountName = (typeof AMOUNTS)[number];

/** What stands in the form. Seconds, bytes and shares of one, whatever unit the fields show. */
export interface Draft extends Record<AmountName, Amount> {
  name: string;
  image: string;
  commands: boolean;
  requirements: string[];
  warm_up: boolean;
  assignment: Pool["assignment"];
  scale_down_order: Pool["scale_down_order"];
  network: Pool["network"];
  isolation: Pool["isolation"];
  capacity_type: Pool["capacity_type"];
  zone: string;
  env: { name: string; value: string }[];
  shares: { team: string; weight: Amount }[];
  /** "" where none is known. */
  price: Amount;
  secrets: string[];
}

export type PoolForm = UseFormReturnType<Draft>;

/** The settings; a new one's image may be empty, for the built-in one. */
type Settings = Required<Omit<PoolSettings, "preset">>;

/** A new pool. */
export const FRESH: Draft = {
  name: "",
  image: "",
  commands: false,
  requirements: [],
  min_size: 1,
  max_size: 10,
  warm_up: true,
  concurrency: 1,
  idle_timeout: 300,
  max_uses: 100,
  max_age: 4 * 3600,
  memory_threshold: 0.9,
  error_threshold: 5,
  health_check_interval: 30,
  graceful_shutdown: 10,
  assignment: "lifo",
  scale_down_order: "lru",
  cpu: 1,
  memory: 512 * 1024 ** 2,
  pids: 256,
  env: [],
  network: "isolated",
  isolation: "tenant",
  capacity_type: "any",
  zone: "",
  price: "",
  secrets: [],
  weight: 1,
  shares: [],
};

/** The pool's settings, and nothing else of it. */
export function draftOf(pool: Pool): Draft {
  const names = Object.keys(FRESH) as (keyof Draft)[];
  const settings = Object.fromEntries(names.map((name) => [name, pool[name]]));
  return {
    ...(settings as unknown as Draft),
    env: Object.entries(pool.env).map(([name, value]) => ({ name, value })),
    shares: pool.shares.map(({ team, weight }) => ({ team, weight })),
    price: pool.price ?? "",
  };
}

export function settingsOf(draft: Draft): Settings {
  const amounts = Object.fromEntries(AMOUNTS.map((name) => [name, Number(draft[name])]));
  return {
    ...(amounts as Record<AmountName, number>),
    memory: Math.round(Number(draft.memory)),
    image: draft.image.trim(),
    commands: draft.commands,
    requirements: draft.requirements,
    warm_up: draft.warm_up,
    assignment: draft.assignment,
    scale_down_order: draft.scale_down_order,
    network: draft.network,
    isolation: draft.isolation,
    capacity_type: draft.capacity_type,
    zone: draft.zone.trim(),
    secrets: draft.secrets,
    price: draft.price === "" ? null : Number(draft.price),
    env: Object.fromEntries(draft.env.map(({ name, value }) => [name.trim(), value])),
    shares: draft.shares.map(({ team, weight }) => ({ team: team.trim(), weight: Number(weight) })),
  };
}

/** What differs from how it was: this alone is sent. */
export function changesOf(draft: Draft, before: Draft): PoolSettings {
  const was: Record<string, unknown> = settingsOf(before);
  const is = Object.entries(settingsOf(draft));
  return Object.fromEntries(is.filter(([name, value]) => mark(value) !== mark(was[name])));
}

/** The order of variables and teams is no difference. */
function mark(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const parts = Array.isArray(value) ? value : Object.entries(value);
  return JSON.stringify(parts.map((part) => JSON.stringify(part)).sort());
}

/** What an agent is made of: a change replaces the agents that there are. */
const MAKES = [
  "image",
  "commands",
  "requirements",
  "concurrency",
  "cpu",
  "memory",
  "pids",
  "env",
  "secrets",
  "network",
  "capacity_type",
  "zone",
] as const;

/** Those of the changes that replace the agents. */
export function replacing(changes: PoolSettings): string[] {
  return MAKES.filter((name) => name in changes);
}
