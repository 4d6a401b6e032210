const LABELS: Record<string, string> = {
  min_size: "the minimum",
  max_size: "the maximum",
  max_uses: "the uses per agent",
  idle_timeout: "the idle time-out",
  warm_up: "warm-up",
};

/** The server's sentence with the fields' names as the form has them: "It must not be above the maximum (1)." */
export function inLabels(message: string): string {
  return message.replace(/\b[a-z]+_[a-z]+\b/g, (name) => LABELS[name] ?? name);
}
