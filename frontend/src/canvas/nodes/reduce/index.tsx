import { IconArrowMerge } from "@tabler/icons-react";
import type { Step } from "../../document";
import { needsOf } from "../../document";
import { whatItRuns } from "../describe";
import type { StepKind } from "../kinds";

function Body({ step }: { step: Step }) {
  const unfed = needsOf(step).length === 0 && step.input === undefined;
  return <>{unfed ? "connect the step that it sums up" : whatItRuns(step)}</>;
}

export const reduce: StepKind = {
  type: "reduce",
  word: "Reduce",
  icon: IconArrowMerge,
  hue: "green",
  about: "One call over all results of the step before it.",
  defaults: (id) => ({
    id,
    type: "reduce",
    run: { code: "def main(results):\n    return len(results)\n" },
  }),
  Body,
};
