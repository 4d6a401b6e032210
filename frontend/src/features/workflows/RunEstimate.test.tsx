import { expect, it } from "vitest";
import type { Estimate } from "@/api/types";
import { inWords } from "./RunEstimate";

const known: Estimate = {
  workflow: "census",
  version: 4,
  runs_considered: 12,
  duration_ms: { p50: 4000, p95: 5500 },
  observed_ms: null,
  agent_seconds: { p50: 12, p95: 12 },
  cost: { p50: 0.02, p95: 0.0412 },
  currency: "EUR",
  critical_path: [],
  reason: null,
  steps: [],
};

it("tells time, agents' time and cost, as ranges where they differ", () => {
  expect(inWords(known)).toBe(
    "Usually takes 4 s to 5.5 s, 12 s of agents' time, 0.02 to 0.0412 EUR, by the last 12 runs.",
  );
});

it("leaves out what is not known", () => {
  const plain = { ...known, agent_seconds: null, cost: null, runs_considered: 1 };
  expect(inWords(plain)).toBe("Usually takes 4 s to 5.5 s, by the last run.");
  expect(inWords({ ...known, duration_ms: null })).toMatch(/not known/);
  const fixed = { ...known, cost: { p50: 1, p95: 1 } };
  expect(inWords(fixed)).toContain(", 1 EUR, by");
});
