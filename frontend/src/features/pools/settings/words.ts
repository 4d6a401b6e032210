import type { Pool } from "@/api/types";

interface Choice<Value extends string> {
  value: Value;
  label: string;
  /** One sentence, below the field while this is chosen. */
  says: string;
}

export const ASSIGNMENTS: Choice<Pool["assignment"]>[] = [
  {
    value: "lifo",
    label: "The one that came free last",
    says: "The others may reach their idle time-out: the pool shrinks sooner.",
  },
  {
    value: "round_robin",
    label: "The one that is free for longest",
    says: "All agents take turns and stay warm.",
  },
  { value: "least_used", label: "The least used one", says: "All agents reach their uses about as late." },
];

export const LEAVING: Choice<Pool["scale_down_order"]>[] = [
  { value: "lru", label: "The one idle for longest", says: "When there are too many free agents." },
  { value: "fifo", label: "The oldest", says: "When there are too many free agents." },
  { value: "lifo", label: "The newest", says: "When there are too many free agents." },
];

export const NETWORKS: Choice<Pool["network"]>[] = [
  { value: "isolated", label: "Isolated", says: "Agents reach nothing outside." },
  { value: "egress", label: "Outside too", says: "Agents may call other machines." },
];

export const CAPACITIES: Choice<Pool["capacity_type"]>[] = [
  { value: "any", label: "Any", says: "Agents run on any node." },
  { value: "on_demand", label: "On demand", says: "Agents run on nodes that stay." },
  {
    value: "spot",
    label: "Spot",
    says: "Agents run on cheaper nodes, which may be taken away at short notice.",
  },
];

export const ISOLATIONS: Choice<Pool["isolation"]>[] = [
  { value: "tenant", label: "One team per agent", says: "An agent serves the same team until it ends." },
  {
    value: "shared",
    label: "One team after another",
    says: "An agent may serve any team after the last: what one leaves behind, the next may find.",
  },
];

export const PRESET_WORDS = [
  { value: "aggressive", label: "Aggressive: replaced soon" },
  { value: "balanced", label: "Balanced" },
  { value: "performance", label: "Performance: kept for long" },
  { value: "custom", label: "Custom" },
];
