/** Lines of cron in words, for the usual ones; the others are told by what each field says. Pure. */

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];

export const PRESETS = [
  { value: "*/5 * * * *", label: "Every 5 minutes" },
  { value: "0 * * * *", label: "Every hour" },
  { value: "0 6 * * *", label: "Every day at 06:00" },
  { value: "0 9 * * 1-5", label: "On working days at 09:00" },
  { value: "0 7 * * 1", label: "Every Monday at 07:00" },
  { value: "0 3 1 * *", label: "On the first of each month at 03:00" },
];

/** "At 09:00 on Monday to Friday"; null for what is no line of cron. The server checks it for good. */
export function inWords(cron: string): string | null {
  const fields = cron.trim().split(/\s+/);
  if (fields.length !== 5) return null;
  const [minute = "", hour = "", day = "", month = "", weekday = ""] = fields;
  if (!fields.every((field) => /^[\w*/,#L-]+$/.test(field))) return null;
  const when = timeOf(minute, hour);
  const days = daysOf(day, weekday);
  const months = month === "*" ? "" : ` in ${listed(month, monthName)}`;
  if (when === null) return null;
  if (!days && !months && /^At \d/.test(when)) return `${when} every day`;
  return `${when}${days}${months}`;
}

function timeOf(minute: string, hour: string): string | null {
  const every = /^\*\/(\d+)$/;
  const minutes = every.exec(minute)?.[1];
  const hours = every.exec(hour)?.[1];
  if (/^\d+$/.test(minute) && /^\d+(,\d+)*$/.test(hour)) {
    return `At ${joined(hour.split(",").map((one) => clock(one, minute)))}`;
  }
  const span = hour === "*" ? "" : ` ${hoursOf(hour, hours)}`;
  if (minute === "*") return `Every minute${span}`;
  if (minutes) return `Every ${minutes} minutes${span}`;
  if (minute === "0" && hours) return `Every ${hours} hours`;
  if (minute === "0" && hour === "*") return "Every hour, on the hour";
  const at = listed(minute, (one) => one.padStart(2, "0"));
  return hours ? `At minute ${at} of every ${hours} hours` : `At minute ${at} of every hour${span}`;
}

function hoursOf(hour: string, every: string | undefined): string {
  return every ? `of every ${every} hours` : `from ${listed(hour, (one) => clock(one, "0"))}`;
}

function daysOf(day: string, weekday: string): string {
  const parts = [];
  if (day !== "*" && day !== "?") {
    parts.push(
      day === "L" ? "on the last day of the month" : `on day ${listed(day, (one) => one)} of the month`,
    );
  }
  if (weekday !== "*" && weekday !== "?") parts.push(`on ${listed(weekday, dayName)}`);
  return parts.length === 0 ? "" : ` ${parts.join(" and ")}`;
}

/** "1-5" reads "Monday to Friday", "1,3" reads "Monday and Wednesday". */
function listed(field: string, name: (one: string) => string): string {
  return joined(
    field.split(",").map((part) => {
      const [from = "", to] = part.split("-");
      const step = /^(.*)\/(\d+)$/.exec(part);
      if (step) return `every ${step[2]} from ${step[1] === "*" ? "the first" : step[1]}`;
      return to === undefined ? name(from) : `${name(from)} to ${name(to)}`;
    }),
  );
}

function joined(parts: string[]): string {
  if (parts.length < 2) return parts.join("");
  return `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`;
}

function clock(hour: string, minute: string): string {
  return `${hour.padStart(2, "0")}:${minute.padStart(2, "0")}`;
}

function dayName(one: string): string {
  const number = Number(one);
  if (Number.isInteger(number)) return DAYS[number % 7] ?? one;
  return DAYS.find((day) => day.slice(0, 3).toLowerCase() === one.toLowerCase()) ?? one;
}

function monthName(one: string): string {
  const number = Number(one);
  if (Number.isInteger(number)) return MONTHS[number - 1] ?? one;
  return MONTHS.find((month) => month.slice(0, 3).toLowerCase() === one.toLowerCase()) ?? one;
}
