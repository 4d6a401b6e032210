import { describe, expect, it } from "vitest";
import { asName, nameFault } from "./names";

describe("asName", () => {
  it.each([
    ["nightly-report", "nightly-report"],
    ["My Flow", "my-flow"],
    ["  Größe & Maß ", "grosse-mass"],
    ["__x__", "x"],
    ["a".repeat(80), "a".repeat(63)],
    [`${"a".repeat(62)}-b`, "a".repeat(62)],
  ])("makes %j %j", (typed, name) => {
    expect(asName(typed)).toBe(name);
  });
});

describe("nameFault", () => {
  it("asks for a name", () => {
    expect(nameFault("  ")).toMatch(/Give the workflow a name/);
  });
  it("refuses what has no letter or digit", () => {
    expect(nameFault("!?")).toMatch(/at least one letter/);
  });
  it("accepts what can be made a name", () => {
    expect(nameFault("My Flow")).toBeNull();
  });
});
