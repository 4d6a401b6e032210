/** What the scaler's short names mean, for people. */
import type { Decision, PolicyInForce } from "@/api/types";
import { plural } from "@/format";

export const REASONS: Record<Decision["reason"], { word: string; says: string }> = {
  queue_depth: { word: "queue depth", says: "An agent for each lease and for each caller who waits" },
  utilization: { word: "utilization", says: "The share of busy agents left the thresholds" },
  response_time: {
    word: "response time",
    says: "As many as keep waits short at the present rate of arrivals",
  },
  schedule: { word: "schedule", says: "A schedule is about to start work" },
  forecast: { word: "forecast", says: "The load that is expected soon" },
  lookahead: { word: "look-ahead", says: "The next steps of runs under way" },
  min_size: { word: "minimum", says: "The least number of agents, or of free ones" },
  budget: { word: "budget", says: "What the budget still carries" },
  idle: { word: "idle", says: "Fewer agents are needed, and have been for a while" },
  spot: { word: "spot", says: "Spot capacity came or went" },
  capacity: { word: "capacity", says: "There are not enough for all pools" },
  hold: { word: "hold", says: "The size fits" },
};

export const ACTIONS: Record<Decision["action"], string> = {
  scale_up: "up",
  scale_down: "down",
  hold: "held",
};

/** Limits that changed the outcome. */
const CLAMPS: Record<string, string> = {
  stale: "Figures older than ten seconds decide nothing",
  just_started: "Not watched for a whole down window yet",
  up_window: "The wish had not held for the whole up window",
  down_window: "More were needed within the down window",
  cooldown: "The last increase was too recent",
  dead_band: "So small a difference is left alone",
  min_size: "The minimum is kept",
  max_size: "The maximum is reached",
  capacity: "There are no more for this pool: others have their share",
  max_cost: "More would cost above what the policy allows for an hour",
  budget: "The budget carries no more",
  step_up: "Only so many agents are added at a time",
  step_down: "Only so many agents leave at a time",
};

export function clampOf(name: string): string {
  return CLAMPS[name] ?? name.replaceAll("_", " ");
}

export function reasonOf(name: string): string {
  return name in REASONS ? REASONS[name as Decision["reason"]].word : name.replaceAll("_", " ");
}

/** Which policy counts, in a few words. */
export function policyWords(found: PolicyInForce): { name: string; from: string } {
  const { policy, steered } = found;
  if (policy === null) {
    return steered
      ? { name: "balanced", from: "nobody wrote one" }
      : { name: "none", from: "follows the work at hand" };
  }
  const changed = Object.keys(policy.values).length;
  const name = changed > 0 ? `${policy.preset}, ${plural(changed, "field")} set` : policy.preset;
  return { name, from: policy.pool === null ? `of ${policy.workflow}` : "its own" };
}

/** How a policy works, as a state that has a colour and an icon. */
export function modeOf({ steered, mode }: PolicyInForce): "steers" | "shadow" | "off" {
  if (!steered) return "off";
  return mode === "shadow" ? "shadow" : "steers";
}
