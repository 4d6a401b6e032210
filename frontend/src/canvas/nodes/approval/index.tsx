import { IconUserCheck } from "@tabler/icons-react";
import { QUIET, type StepKind } from "../kinds";
import { ApprovalFields } from "./ApprovalFields";
import { STANDARD_APPROVERS } from "./approvers";

export const approval: StepKind = {
  ...QUIET,
  type: "approval",
  word: "Approval",
  icon: IconUserCheck,
  hue: "amber",
  about: "A person decides, within a deadline.",
  defaults: (id) => ({ id, type: "approval", prompt: "Go on?" }),
  line: (step) => step.prompt || "no question yet",
  note: (step) => (step.approvers ?? STANDARD_APPROVERS).map(inWords).join(", "),
  Fields: ApprovalFields,
};

function inWords(approver: string): string {
  const [kind, name = ""] = approver.split(":");
  return kind === "role" ? `any ${name}` : name;
}
