/** Figures as people read them. Units always; a dash for what is not known. */

const NONE = "–";
const whole = new Intl.NumberFormat("en");
const tenths = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

/** 1,024 */
export function count(value: number | null | undefined): string {
  return value == null ? NONE : whole.format(value);
}

/** A share of one as a percentage: 0.954 is "95 %". */
export function percent(share: number | null | undefined): string {
  return share == null ? NONE : `${Math.round(share * 100)} %`;
}

/** An amount in whatever currency: "0.0345", "12.3", "1,230". */
export function amount(value: number): string {
  return value.toLocaleString("en", { maximumSignificantDigits: 3 });
}

/** Milliseconds: "850 ms", "1.2 s", "3 m 20 s", "2 h 5 m", "3 d 4 h". */
export function duration(ms: number | null | undefined): string {
  if (ms == null) return NONE;
  if (ms < 0.95) return ms <= 0 ? "0 ms" : `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${tenths.format(ms / 1000)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return pair(seconds, 60, "m", "s");
  const minutes = Math.floor(seconds / 60);
  if (minutes < 24 * 60) return pair(minutes, 60, "h", "m");
  return pair(Math.floor(minutes / 60), 24, "d", "h");
}

function pair(value: number, base: number, large: string, small: string): string {
  const rest = value % base;
  const head = `${Math.floor(value / base)} ${large}`;
  return rest === 0 ? head : `${head} ${rest} ${small}`;
}

/** Bytes of memory: "512 MiB", "23.5 GiB". */
export function memory(bytes: number | null | undefined): string {
  if (bytes == null) return NONE;
  const mebibytes = bytes / 1024 ** 2;
  return mebibytes < 1023.5 ? `${Math.round(mebibytes)} MiB` : `${tenths.format(mebibytes / 1024)} GiB`;
}

/** Seconds of a setting: "300 s" reads "5 m". */
export function seconds(value: number | null | undefined): string {
  return value == null ? NONE : duration(value * 1000);
}

/** Memory of a setting: "512 MiB", "1.5 GiB". */
export function bytes(value: number | null | undefined): string {
  if (value == null) return NONE;
  const large = value >= 1000 * 1024 ** 2;
  return `${tenths.format(value / 1024 ** (large ? 3 : 2))} ${large ? "GiB" : "MiB"}`;
}

/** "just now", "40 s ago", "2 min ago", "3 h ago", "5 d ago", then the date. */
export function ago(at: string | number | Date | null | undefined, now: number = Date.now()): string {
  if (at == null) return NONE;
  const then = new Date(at);
  const past = Math.floor((now - then.getTime()) / 1000);
  if (past < 5) return "just now";
  if (past < 60) return `${past} s ago`;
  if (past < 3600) return `${Math.floor(past / 60)} min ago`;
  if (past < 86_400) return `${Math.floor(past / 3600)} h ago`;
  if (past < 14 * 86_400) return `${Math.floor(past / 86_400)} d ago`;
  return then.toLocaleDateString("en", { day: "numeric", month: "short", year: "numeric" });
}

/** The exact local time with its zone, for hovering. */
export function exactTime(at: string | number | Date): string {
  return new Date(at).toLocaleString("en", {
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    fractionalSecondDigits: 3,
    hourCycle: "h23",
    timeZoneName: "short",
  });
}

/** Local clock time with milliseconds: "14:03:07.120", for logs and events. */
export function clock(at: string | number | Date): string {
  const time = new Date(at);
  const two = (value: number) => String(value).padStart(2, "0");
  const milliseconds = String(time.getMilliseconds()).padStart(3, "0");
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}.${milliseconds}`;
}

/** Short form of an id. Version-7 ids begin with the time, so the end tells two of them apart. */
export function shortId(id: string): string {
  return id.slice(-8);
}

/** "1 step", "3 steps". */
export function plural(value: number, one: string, many: string = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** Any JSON value, indented. */
export function pretty(value: unknown): string {
  return JSON.stringify(value, null, 2) ?? "null";
}

/**
 * Money as people write it: "$0.18", "€1,204.50", "$0.0042" where cents would say nothing. Of a decimal in a
 * string or a number; `currency` is an ISO code, or whatever the installation calls its own.
 */
export function money(amount: string | number | null | undefined, currency: string): string {
  if (amount == null || amount === "") return NONE;
  const value = Number(amount);
  const size = Math.abs(value);
  const digits =
    size > 0 && size < 0.1
      ? { minimumFractionDigits: 2, maximumFractionDigits: size < 0.001 ? 6 : 4 }
      : { minimumFractionDigits: 2, maximumFractionDigits: 2 };
  try {
    return value.toLocaleString("en", { style: "currency", currency, ...digits });
  } catch {
    return `${value.toLocaleString("en", digits)} ${currency}`;
  }
}

/** Seconds of agents' time: "12 agent-minutes", "4.2 agent-hours". */
export function agentTime(agentSeconds: number): string {
  if (agentSeconds < 120) return `${tenths.format(agentSeconds)} agent-seconds`;
  if (agentSeconds < 7200) return `${tenths.format(agentSeconds / 60)} agent-minutes`;
  return `${tenths.format(agentSeconds / 3600)} agent-hours`;
}
