/** What a decision saw and what counted for it, as names and figures for people. */
import type { PolicyValues, Signals } from "@/api/types";
import { count, duration, percent, plural, seconds } from "@/format";
import { reasonOf } from "./words";

/** Name, value, and what it means. */
export type SignalFact = [name: string, value: string, says: string];

export function seenBy(seen: Signals): SignalFact[] {
  const found: SignalFact[] = [
    [
      "Agents",
      `${count(seen.ready)} ready, ${count(seen.starting)} starting`,
      "Those that serve, and those on their way",
    ],
    ["Leases", count(seen.leased), "Work that agents did"],
    ["Waiting", waits(seen), "Callers without an agent, and how long the first of them had waited"],
    ["Arrivals", perMinute(seen.arrival_rate), "How often a lease was asked for, since that last changed"],
    ["Length of a lease", seconds(seen.service_time), "What a lease takes on average, lately"],
    ["Utilization", percent(seen.utilization), "The share of busy agents over the last minute"],
    ["Start of an agent", duration(seen.start_time * 1000), "What nearly all agents take until they serve"],
    ["Highest wish", plural(seen.highest, "agent"), "Inside the down window"],
  ];
  if (seen.quiet) found.push(["Quiet", `for ${seconds(seen.quiet)}`, "Nobody came, waited or held a lease"]);
  if (seen.turns)
    found.push(["Turns", count(seen.turns), "In the last hour the size went the other way than before"]);
  if (seen.lowest !== null) found.push(["Lowest wish", plural(seen.lowest, "agent"), "Inside the up window"]);
  if (seen.since_up !== null)
    found.push(["Last increase", `${seconds(seen.since_up)} before`, "For the cooldown"]);
  if (seen.coming > 0) {
    found.push([
      "Known to come",
      `${plural(seen.coming, "agent")}, ${reasonOf(seen.coming_by)}`,
      "Work that is known already",
    ]);
  }
  if (seen.forecast) {
    const { load, quantile, coverage, forecaster } = seen.forecast;
    found.push([
      "Forecast",
      `${load.toFixed(1)} busy agents at most (${percent(quantile)}, ${forecaster})`,
      `It held in ${percent(coverage)} of the time, lately`,
    ]);
  }
  if (seen.affordable !== null)
    found.push(["Affordable", plural(seen.affordable, "agent"), "Until the budget’s period ends"]);
  if (seen.room !== null) found.push(["Room", plural(seen.room, "agent"), "What the machines still hold"]);
  return found;
}

function waits({ waiting, oldest_wait }: Signals): string {
  return waiting === 0 ? "0" : `${count(waiting)}, the first for ${seconds(oldest_wait)}`;
}

/** "12 a minute", "3.5 a second". */
export function perMinute(perSecond: number): string {
  const figures = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
  return perSecond >= 1
    ? `${figures.format(perSecond)} a second`
    : `${figures.format(perSecond * 60)} a minute`;
}

const SECONDS = new Set(["cooldown", "up_window", "down_window"]);
const SHARES = new Set([
  "target_utilization",
  "scale_up_threshold",
  "scale_down_threshold",
  "dead_band",
  "scale_down_rate",
]);

/** Each field with its value, in the order of the record. */
export function valuesOf(policy: PolicyValues): [name: string, value: string][] {
  return Object.entries(policy).map(([name, value]) => [name.replaceAll("_", " "), shown(name, value)]);
}

function shown(name: string, value: unknown): string {
  if (value === null) return "any number";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) return value.map((one) => reasonOf(String(one))).join(", ");
  if (typeof value !== "number") return String(value);
  if (SECONDS.has(name)) return seconds(value);
  return SHARES.has(name) ? percent(value) : count(value);
}
