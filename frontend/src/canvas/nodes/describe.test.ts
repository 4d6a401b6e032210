import { expect, it } from "vitest";
import { whatItRuns } from "./describe";

it.each([
  [{ command: "sort -u |\n  uniq -c" }, "$ sort -u |"],
  [{ command: ["wc", "-c"], image: "debian:12" }, "$ wc -c"],
  [{ command: "" }, "no command yet"],
  [{ command: [] }, "no command yet"],
  [{ image: "worker:1", path: "/run" }, "worker:1 /run"],
  [{ code: 'def main():\n    """Counts."""\n' }, "Counts."],
  [{ handler: "flow:Flow.step", bundle: "0" }, "flow:Flow.step"],
  [{}, "nothing yet"],
])("says in a line that a step runs %j", (run, line) => {
  expect(whatItRuns(run)).toBe(line);
});
