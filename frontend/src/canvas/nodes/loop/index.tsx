import { IconRepeat } from "@tabler/icons-react";
import { plural } from "@/format";
import { shortCondition } from "../../branches";
import { innerSteps } from "../../document";
import { QUIET, type StepKind } from "../kinds";
import { LoopFields } from "./LoopFields";

export const MAX_ITERATIONS = 100;

const code = 'def main(index):\n    return {"round": index}\n';

export const loop: StepKind = {
  ...QUIET,
  type: "loop",
  word: "Loop",
  icon: IconRepeat,
  hue: "accent-text",
  about: "Repeats steps until a condition holds.",
  defaults: (id, fresh) => {
    const work = { id: fresh("work"), type: "task", input: { index: "${index}" }, run: { code } };
    return { id, type: "loop", until: "${index >= 2}", steps: [work] };
  },
  line: (step) => {
    const inner = innerSteps(step).map(({ id }) => id);
    return `${inner.join(" · ") || "nothing inside yet"} until ${shortCondition(step.until) || "…"}`;
  },
  note: (step) => plural(innerSteps(step).length, "step") + " inside",
  Fields: LoopFields,
};
