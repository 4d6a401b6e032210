import { IconGitBranch } from "@tabler/icons-react";
import { plural } from "@/format";
import { labelOfWay } from "../../branches";
import { casesOf, elseOf, type Step } from "../../document";
import { QUIET, type StepKind } from "../kinds";
import { BranchFields } from "./BranchFields";

function line(step: Step): string {
  const cases = casesOf(step).map((one, number) => {
    return `${labelOfWay(step, number)} → ${one.then.join(", ") || "nothing yet"}`;
  });
  const others = elseOf(step);
  return [...cases, ...(others.length > 0 ? [`else → ${others.join(", ")}`] : [])].join("; ");
}

export const branch: StepKind = {
  ...QUIET,
  type: "branch",
  word: "Branch",
  icon: IconGitBranch,
  hue: "amber",
  about: "Conditions choose what runs next.",
  defaults: (id) => ({ id, type: "branch", cases: [{ when: true, then: [] }] }),
  line,
  note: (step) => plural(casesOf(step).length, "case"),
  Fields: BranchFields,
};
