import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, it } from "vitest";
import { documentIn } from "./importing";
import { pinnedInput } from "./trial/pinned";

const example = (name: string) =>
  readFileSync(resolve(import.meta.dirname, `../../../../examples/${name}.yaml`), "utf8");

it("takes documents in YAML and in JSON", async () => {
  const found = await documentIn(example("grade-and-route"));
  expect(found).toMatchObject({ name: "grade-and-route" });
  expect(await documentIn(JSON.stringify(found))).toEqual(found);
});

it.each([
  ["", /nothing in it/],
  ["steps: [", /neither as JSON nor as YAML/],
  ["- a\n- b", /JSON object/],
  ["steps: {}", /must be a list/],
  ["steps: [{id: b, type: branch, cases: [{then: x}]}]", /steps\[0\]\.cases\[0\]\.then/],
  ["steps: [{id: l, type: loop, steps: [{type: task}]}]", /steps\[0\]\.steps\[0\] needs an id/],
])("says why there is no document in %j", async (text, why) => {
  expect(await documentIn(text)).toMatch(why);
});

it("a trial begins with what is known without a run", () => {
  const document = {
    name: "x",
    params: { type: "object", properties: { root: { default: "/srv" }, limit: {} } },
    steps: [],
  };
  const run = { code: "def main(path, depth=3, *, ctx):\n    pass" };
  const known = (fields: object) => pinnedInput(document, { id: "s", type: "task", run, ...fields });
  expect(known({})).toEqual({ path: null });
  expect(known({ input: { root: "${params.root}", of: "${steps.a.output}" } })).toEqual({
    root: "/srv",
    of: null,
  });
  expect(known({ input: "${params}" })).toEqual({ root: "/srv" });
  expect(known({ type: "map", over: [1, 2] })).toEqual([1, 2]);
  expect(known({ type: "mapreduce", over: "${steps.a.output}" })).toEqual([null]);
  expect(known({ type: "reduce" })).toEqual({ results: [1, 2, 3] });
});
