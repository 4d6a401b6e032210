import { describe, expect, it } from "vitest";
import {
  ago,
  agentTime,
  bytes,
  clock,
  count,
  duration,
  exactTime,
  money,
  percent,
  plural,
  seconds,
  shortId,
} from ".";

describe("duration", () => {
  it.each([
    [null, "–"],
    [0, "0 ms"],
    [0.42, "0.4 ms"],
    [850, "850 ms"],
    [999.6, "1 s"],
    [1240, "1.2 s"],
    [59_960, "1 m"],
    [200_000, "3 m 20 s"],
    [3_600_000, "1 h"],
    [7_500_000, "2 h 5 m"],
    [273_600_000, "3 d 4 h"],
  ])("%s ms reads %s", (ms, text) => {
    expect(duration(ms)).toBe(text);
  });

  it("reads settings in seconds", () => {
    expect(seconds(300)).toBe("5 m");
  });
});

it("reads memory in MiB and GiB", () => {
  const mib = 1024 ** 2;
  expect([512 * mib, 1536 * mib, 2048 * mib, null].map(bytes)).toEqual(["512 MiB", "1.5 GiB", "2 GiB", "–"]);
});

describe("ago", () => {
  const now = Date.parse("2026-01-20T12:00:00Z");
  it.each([
    ["2026-01-20T11:59:58Z", "just now"],
    ["2026-01-20T12:00:03Z", "just now"],
    ["2026-01-20T11:59:20Z", "40 s ago"],
    ["2026-01-20T11:57:30Z", "2 min ago"],
    ["2026-01-20T09:00:00Z", "3 h ago"],
    ["2026-01-15T12:00:00Z", "5 d ago"],
  ])("%s is %s", (at, text) => {
    expect(ago(at, now)).toBe(text);
  });

  it("names the date when it was long ago", () => {
    expect(ago("2025-06-02T12:00:00Z", now)).toBe("Jun 2, 2025");
  });
});

describe("figures", () => {
  it("groups thousands, rounds shares and counts words", () => {
    expect(count(1700)).toBe("1,700");
    expect(percent(0.954)).toBe("95 %");
    expect(percent(undefined)).toBe("–");
    expect(plural(1, "step")).toBe("1 step");
    expect(plural(2, "step")).toBe("2 steps");
  });

  it("shortens ids to the part that differs", () => {
    expect(shortId("019ab9d0-7a1c-7e11-8f00-0123456789ab")).toBe("456789ab");
  });

  it("gives the clock and the zone", () => {
    expect(clock("2026-01-20T12:00:03.007Z")).toMatch(/^\d\d:\d\d:03\.007$/);
    expect(exactTime("2026-01-20T12:00:03Z")).toMatch(/Jan \d+, 2026.*(UTC|GMT|[A-Z]{3,4})/);
  });
});

describe("money", () => {
  it("has a sign, two places, and more where cents would say nothing", () => {
    expect(money("0.18", "USD")).toBe("$0.18");
    expect(money("1204.5", "EUR")).toBe("€1,204.50");
    expect(money("0.004200000", "USD")).toBe("$0.0042");
    expect(money("0.000012", "USD")).toBe("$0.000012");
    expect(money(0, "USD")).toBe("$0.00");
    expect(money(null, "USD")).toBe("–");
  });

  it("takes what the installation calls its currency", () => {
    expect(money("3", "credits")).toBe("3.00 credits");
  });

  it("tells agents' time in the unit that fits", () => {
    expect(agentTime(30)).toBe("30 agent-seconds");
    expect(agentTime(720)).toBe("12 agent-minutes");
    expect(agentTime(15_120)).toBe("4.2 agent-hours");
  });
});
