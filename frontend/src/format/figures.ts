/** Figures as people read them: 850 ms, 1.2 s, 3 m 20 s; 1,024; 84 %. Units always. */

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

export function count(value: number): string {
  return whole.format(value);
}

/** `plural(1, "step")` is "1 step"; `plural(2, "step")` is "2 steps". */
export function plural(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** @param ms milliseconds; null gives a dash. */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return "–";
  if (ms < 1) return ms <= 0 ? "0 ms" : "<1 ms";
  if (ms < 10 && ms % 1 !== 0) return `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return parts([seconds / 60, "m"], [seconds % 60, "s"]);
  if (seconds < 86_400) return parts([seconds / 3600, "h"], [(seconds % 3600) / 60, "m"]);
  return parts([seconds / 86_400, "d"], [(seconds % 86_400) / 3600, "h"]);
}

function parts(...pairs: [number, string][]): string {
  return pairs
    .map(([value, unit], place) => [Math.floor(value), unit, place] as const)
    .filter(([value, , place]) => place === 0 || value > 0)
    .map(([value, unit]) => `${value} ${unit}`)
    .join(" ");
}

/** @param share 0 to 1. */
export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

export function bytes(size: number): string {
  if (size < 1024) return `${size} B`;
  if (size < 1024 ** 2) return `${(size / 1024).toFixed(1)} KiB`;
  return `${(size / 1024 ** 2).toFixed(1)} MiB`;
}
