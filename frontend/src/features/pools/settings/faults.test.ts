import { expect, it } from "vitest";
import { aPool } from "@/testing/shapes";
import { inLabels } from "../labels";
import { draftOf } from "./draft";
import { placed } from "./faults";

const draft = draftOf(
  aPool("census", {
    env: { A: "1", B: "2" },
    shares: [
      { team: "acme", weight: 1 },
      { team: "zoo", weight: 1 },
    ],
  }),
);
const at = (path: string, message = "Wrong.") => placed([{ path, message, step: null }], draft);

it.each([
  ["cpu", "Wrong.", "cpu"],
  ["env", "It must have at most 100 variables.", "env"],
  ["env", "The value of B must be text of up to 32768 characters.", "env.1.value"],
  ["env", "'A' cannot name a variable; use letters, digits and _.", "env.0.name"],
  ["env.B", "This field may not be null.", "env.1.value"],
  ["shares.zoo", "There is no team zoo.", "shares.1.team"],
  ["shares.zoo", "The weight must be between 0.01 and 100.", "shares.1.weight"],
  ["shares[1].weight", "A valid number is required.", "shares.1.weight"],
  ["shares[0].team", "Enter a valid slug.", "shares.0.team"],
  ["shares", "It must be a list.", "shares"],
])("%s: %s stands at %s", (path, message, place) => {
  expect(Object.keys(at(path, message).at)).toEqual([place]);
});

it("leaves what no field is to blame for", () => {
  expect(at("preset.name").at).toEqual({});
  expect(at("$").left).toHaveLength(1);
});

it("tells several faults of one field together", () => {
  const faults = ["One.", "Two."].map((message) => ({ path: "cpu", message, step: null }));
  expect(placed(faults, draft).at).toEqual({ cpu: "One. Two." });
});

it("writes limits as the form shows them", () => {
  expect(inLabels("It must be between 0.05 and 1 of the memory limit.")).toBe(
    "It must be between 5 % and 100 % of the memory limit.",
  );
  expect(inLabels("It must be between 1 and 3.1536e+07 seconds.")).toBe("It must be between 1 s and 365 d.");
  expect(inLabels("It must not be above max_size (1).")).toBe("It must not be above the maximum (1).");
});
