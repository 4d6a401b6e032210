import { expect, it } from "vitest";
import { paramsOf } from "./params";

it("finds a schema that asks for something", () => {
  const params = { type: "object", properties: { root: { type: "string" } } };
  expect(paramsOf({ name: "x", params })).toBe(params);
});

it.each([
  [null],
  ["text"],
  [{}],
  [{ params: null }],
  [{ params: { type: "object" } }],
  [{ params: { properties: {} } }],
])("needs no form for %j", (document) => {
  expect(paramsOf(document)).toBeNull();
});
