import { expect, it } from "vitest";
import { placeInWords, placeOf, plainer, summaryOf } from "./faults";

const size = { path: "steps[0].pool.size", message: "Give size, or min_size and max_size.", step: "b" };
const inLoop = { path: "steps[2].steps[1].max_parallel", message: "Too many.", step: "inner" };
const whole = { path: "output", message: "There is no step z.", step: null };

it("names the step, not its number", () => {
  expect(placeOf(size)).toBe("b.pool.size");
  expect(placeOf(inLoop)).toBe("inner.max_parallel");
  expect(placeOf({ path: "steps[2].steps", message: "", step: "loop" })).toBe("loop.steps");
  expect(placeOf(whole)).toBe("output");
  expect(placeInWords(size)).toBe("size of step b");
  expect(placeInWords(inLoop)).toBe("max parallel of step inner");
  expect(placeInWords({ path: "steps[3]", message: "", step: "c" })).toBe("step c");
});

it("says the first fault of a refused save, and how many more there are", () => {
  expect(summaryOf([size])).toBe("size of step b: Give size, or min_size and max_size.");
  expect(summaryOf([size, inLoop, whole])).toMatch(/ 2 more in the list of problems\.$/);
  expect(summaryOf([])).toBe("");
});

it("says what a sub-workflow without a name lacks", () => {
  const document = { name: "x", steps: [{ id: "sub", type: "workflow", workflow: "" }] };
  const fault = { path: "steps[0].workflow", message: "'' does not fit here", step: "sub" };
  expect(plainer(document, [fault, size])).toEqual([
    { ...fault, message: "Choose the workflow that this step runs." },
    size,
  ]);
});
