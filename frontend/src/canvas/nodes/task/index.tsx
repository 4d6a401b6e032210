import { IconPlayerPlay } from "@tabler/icons-react";
import type { Step } from "../../document";
import { whatItRuns } from "../describe";
import type { StepKind } from "../kinds";

function Body({ step }: { step: Step }) {
  return <>{whatItRuns(step)}</>;
}

export const task: StepKind = {
  type: "task",
  word: "Task",
  icon: IconPlayerPlay,
  hue: "blue",
  about: "One call of an agent: code, or an image.",
  // No parameters: it runs alone, and it still runs when it is connected after another step.
  defaults: (id) => ({ id, type: "task", run: { code: 'def main():\n    return {"hello": "world"}\n' } }),
  Body,
};
