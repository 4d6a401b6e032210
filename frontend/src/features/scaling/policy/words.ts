import type { Policy, PolicyValues } from "@/api/types";

interface Choice<Value extends string> {
  value: Value;
  label: string;
  /** One sentence, below the field while this is chosen. */
  says: string;
}

export const PRESETS: Choice<Policy["preset"]>[] = [
  {
    value: "balanced",
    label: "Balanced",
    says: "Short waits at a fair price; the usual choice.",
  },
  {
    value: "aggressive",
    label: "Aggressive",
    says: "More free agents, kept for longer: the shortest waits, at the highest price.",
  },
  {
    value: "conservative",
    label: "Conservative",
    says: "Fewer free agents: cheaper, and some callers wait a moment.",
  },
  {
    value: "reactive",
    label: "Reactive",
    says: "Follows the load at once, up and down: cheap for short bursts, and more starts of agents.",
  },
];

export const MODES: Choice<Policy["mode"]>[] = [
  { value: "act", label: "Steer", says: "Its decisions are carried out." },
  {
    value: "shadow",
    label: "Shadow",
    says: "It decides and records, and changes nothing: to try a policy beside the pool as it is.",
  },
  { value: "off", label: "Off", says: "It decides nothing: the pool makes agents for the work at hand." },
];

export const PREDICTORS: Choice<PolicyValues["predictor"]>[] = [
  { value: "naive", label: "Naive", says: "The last value, this time yesterday and a week ago." },
  {
    value: "ml-based",
    label: "Learned (ml-based)",
    says: "Learns from the history; naive while that does better.",
  },
];

export const METRICS: Choice<PolicyValues["metrics"][number]>[] = [
  {
    value: "queue_depth",
    label: "Queue depth",
    says: "An agent for each lease and for each caller who waits.",
  },
  {
    value: "response_time",
    label: "Response time",
    says: "As many as keep waits short at the present rate of arrivals.",
  },
  {
    value: "utilization",
    label: "Utilization",
    says: "When the share of busy agents leaves the two thresholds, back to the target.",
  },
  {
    value: "schedule",
    label: "Known work",
    says: "What schedules and the next steps of live runs will need.",
  },
];
