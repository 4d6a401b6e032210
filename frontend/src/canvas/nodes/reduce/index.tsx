import { IconArrowMerge } from "@tabler/icons-react";
import { needsOf } from "../../document";
import { whatItRuns } from "../describe";
import { CALLING, type StepKind } from "../kinds";
import { ReduceFields } from "./ReduceFields";

const code = "def main(results):\n    return len(results)\n";

export const reduce: StepKind = {
  ...CALLING,
  type: "reduce",
  word: "Reduce",
  icon: IconArrowMerge,
  hue: "green",
  about: "One call over all results of a map.",
  defaults: (id) => ({ id, type: "reduce", run: { code } }),
  line: (step) =>
    needsOf(step).length === 0 && step.input === undefined
      ? "connect the step that it sums up"
      : whatItRuns(step.run),
  runs: [{ field: "run", title: "Runs", code }],
  Fields: ReduceFields,
};
