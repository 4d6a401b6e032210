import type { Fault, NewSimulation } from "@/api/types";
import type { Amount } from "@/features/pools/settings/draft";

/** What stands in the form; an empty amount is as the pool was. Seconds. */
export interface Draft {
  policies: string[];
  arrivals: "history" | "trace";
  file: File | null;
  hours: string;
  seeds: Amount;
  slo_wait: Amount;
  service_mean: Amount;
  service_cv: Amount;
  start_time: Amount;
  max_size: Amount;
  price: Amount;
}

export const AMOUNTS = [
  "slo_wait",
  "service_mean",
  "service_cv",
  "start_time",
  "max_size",
  "price",
] as const satisfies readonly (keyof Draft & keyof NewSimulation)[];

export const FRESH: Draft = {
  policies: ["current", "balanced", "aggressive", "conservative", "fixed", "hpa"],
  arrivals: "history",
  file: null,
  hours: "24",
  seeds: 3,
  slo_wait: 1,
  service_mean: "",
  service_cv: "",
  start_time: "",
  max_size: "",
  price: "",
};

/** As the API takes it; `trace` is the file's text. */
export function requestOf(pool: string, draft: Draft, trace: string | null): NewSimulation {
  const amounts = AMOUNTS.filter((name) => draft[name] !== "").map((name) => [name, Number(draft[name])]);
  return {
    pool,
    policies: draft.policies,
    seeds: Number(draft.seeds) || 1,
    ...(trace === null ? { hours: Number(draft.hours) } : { trace }),
    ...Object.fromEntries(amounts),
  };
}

const FIELDS = new Set<string>(["policies", "seeds", "hours", ...AMOUNTS]);

/** The server's faults at the form's fields; `left` are those that no field is to blame for. */
export function placed(errors: Fault[], draft: Draft): { at: Record<string, string>; left: Fault[] } {
  const at: Record<string, string> = {};
  const left: Fault[] = [];
  for (const fault of errors) {
    const [root = ""] = fault.path.split(/[.[\]]+/).filter(Boolean);
    let place = FIELDS.has(root) ? root : null;
    if (root === "trace") place = "file";
    if (root === "pool") place = "arrivals";
    if (root === "hours" && draft.arrivals === "trace") place = "file";
    if (place === null) left.push(fault);
    else at[place] = [at[place], fault.message].filter(Boolean).join(" ");
  }
  return { at, left };
}
