import { bytes, percent, seconds } from "@/format";

/** How the form calls the settings, in a sentence. */
export const LABELS: Record<string, string> = {
  image: "the image",
  min_size: "the minimum",
  max_size: "the maximum",
  warm_up: "warm-up",
  commands: "whether it is for commands",
  requirements: "the requirements",
  concurrency: "leases per agent",
  idle_timeout: "the idle time-out",
  max_uses: "the uses per agent",
  max_age: "the age",
  memory_threshold: "the memory in use",
  error_threshold: "the errors in a row",
  health_check_interval: "the time between checks",
  graceful_shutdown: "the time to finish",
  scale_down_order: "the order of leaving",
  cpu: "CPU",
  memory: "memory",
  pids: "processes",
  env: "the environment",
  network: "the network",
  capacity_type: "the capacity type",
  zone: "the zone",
};

/** A setting that is measured, as the server writes its limits: "between 0.05 and 1 of the memory limit". */
const LIMITS: [RegExp, (value: number) => string, string][] = [
  [/between (\S+) and (\S+) bytes/, bytes, ""],
  [/between (\S+) and (\S+) seconds/, seconds, ""],
  [/between (\S+) and (\S+) of the memory limit/, percent, " of the memory limit"],
];

/**
 * The server's sentence with names and units as the form has them: "It must not be above the maximum (1).",
 * "It must be between 32 MiB and 1,024 GiB."
 */
export function inLabels(message: string): string {
  const named = message.replace(/\b[a-z]+(?:_[a-z]+)+\b/g, (name) => LABELS[name] ?? name);
  return LIMITS.reduce(
    (text, [pattern, shown, after]) =>
      text.replace(
        pattern,
        (_, low: string, high: string) => `between ${shown(Number(low))} and ${shown(Number(high))}${after}`,
      ),
    named,
  );
}
