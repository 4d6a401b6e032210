import type { Budget } from "@/api/types";

interface Choice<Value extends string> {
  value: Value;
  label: string;
  /** One sentence, below the field while this is chosen. */
  says: string;
}

export const SCOPES: Choice<Budget["scope"]>[] = [
  { value: "team", label: "The whole team", says: "Every pool of the team." },
  { value: "pool", label: "One pool", says: "The time of its agents, at work and idle." },
  { value: "workflow", label: "One workflow", says: "Its own pools, and its work in others." },
];

export const PERIODS: Choice<Budget["period"]>[] = [
  { value: "hour", label: "Each hour", says: "It begins anew with every hour." },
  { value: "day", label: "Each day", says: "It begins anew at midnight of the time zone." },
  { value: "month", label: "Each month", says: "It begins anew on the first, at midnight of the time zone." },
];

export const MODES: Choice<Budget["mode"]>[] = [
  {
    value: "enforce",
    label: "Enforce",
    says: "Nothing starts that it could not pay: steps wait, pools shrink. What runs is never ended for it.",
  },
  { value: "audit", label: "Only count", says: "It counts and tells, and holds nothing up." },
];

export const ADVERBS: Record<Budget["period"], string> = { hour: "an hour", day: "a day", month: "a month" };

/** "Team", "Pool parsers", "Workflow census". */
export function nameOf({ scope, target }: Pick<Budget, "scope" | "target">): string {
  if (scope === "team" || target === null) return "The whole team";
  return `${scope === "pool" ? "Pool" : "Workflow"} ${target}`;
}

export function alertOf(threshold: string): string {
  return threshold === "forecast" ? "It was seen that it would not last" : `${threshold} % were spent`;
}
