import { IconPlayerPlay } from "@tabler/icons-react";
import { whatItRuns } from "../describe";
import { CALLING, type StepKind } from "../kinds";

// No parameters: it runs alone, and it still runs when it is connected after another step.
const code = 'def main():\n    return {"hello": "world"}\n';

export const task: StepKind = {
  ...CALLING,
  type: "task",
  word: "Task",
  icon: IconPlayerPlay,
  hue: "blue",
  about: "One call of an agent: code, or an image.",
  defaults: (id) => ({ id, type: "task", run: { code } }),
  line: (step) => whatItRuns(step.run),
  runs: [{ field: "run", title: "Runs", code }],
};
