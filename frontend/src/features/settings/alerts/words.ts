import type { Alert, AlertChannel } from "@/api/types";

/** What there are alerts of. */
export const KINDS: { value: Alert["kind"]; label: string }[] = [
  { value: "creation", label: "A pool cannot make agents" },
  { value: "saturation", label: "A pool is saturated" },
  { value: "budget_50", label: "Half of a budget is spent" },
  { value: "budget_80", label: "80 % of a budget are spent" },
  { value: "budget_100", label: "A budget is spent" },
  { value: "budget_forecast", label: "A budget will not last" },
];

export const CHANNEL_KINDS: { value: AlertChannel["kind"]; label: string; says: string }[] = [
  { value: "email", label: "E-mail", says: "By the platform’s mail server." },
  { value: "webhook", label: "Webhook", says: "A signed POST to an address on the open Internet." },
];

/** "every alert", or the chosen ones. */
export function kindsOf({ kinds }: Pick<AlertChannel, "kinds">): string {
  if (kinds.length === 0) return "every alert";
  return kinds.map((kind) => KINDS.find(({ value }) => value === kind)?.label ?? kind).join("; ");
}
