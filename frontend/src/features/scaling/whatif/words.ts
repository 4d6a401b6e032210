/** The policies that can be simulated, as people know them. */
interface Choice {
  value: string;
  label: string;
  says: string;
}

export const OURS: Choice[] = [
  { value: "current", label: "The policy as it is", says: "What counts for this pool now" },
  { value: "balanced", label: "Balanced", says: "Short waits at a fair price" },
  { value: "aggressive", label: "Aggressive", says: "The shortest waits, at the highest price" },
  { value: "conservative", label: "Conservative", says: "Cheaper; some callers wait a moment" },
  { value: "reactive", label: "Reactive", says: "Follows the load at once, up and down" },
];

export const OTHERS: Choice[] = [
  { value: "fixed", label: "Fixed size", says: "As many as the busiest minute needs, all the time" },
  { value: "hpa", label: "HPA", says: "Kubernetes’ autoscaler, on utilization" },
  { value: "keda", label: "KEDA", says: "Agents by the length of the queue" },
  { value: "kpa", label: "Knative", says: "Knative’s autoscaler, on concurrency" },
  { value: "threshold", label: "Threshold", says: "A quarter more or fewer, then a cooldown" },
];

const NAMES = new Map([...OURS, ...OTHERS].map(({ value, label }) => [value, label]));

/** "balanced:0.6" reads "Balanced (0.6)". */
export function policyName(policy: string): string {
  const [family = "", knob] = policy.split(":");
  const name = family === "current" ? "As it is" : (NAMES.get(family) ?? family);
  return knob === undefined ? name : `${name} (${knob})`;
}
