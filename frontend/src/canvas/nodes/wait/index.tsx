import { IconHourglass } from "@tabler/icons-react";
import type { Step } from "../../document";
import { QUIET, type StepKind } from "../kinds";
import { WaitFields } from "./WaitFields";

function line(step: Step): string {
  if (step.event !== undefined) return `event ${step.event || "without a name yet"}`;
  if (step.until !== undefined) return `until ${String(step.until) || "…"}`;
  return step.duration === undefined ? "for nothing yet" : `${step.duration}`;
}

export const wait: StepKind = {
  ...QUIET,
  type: "wait",
  word: "Wait",
  icon: IconHourglass,
  hue: "grey",
  about: "For a while, for a time or for an event.",
  defaults: (id) => ({ id, type: "wait", duration: "10s" }),
  line,
  note: (step) =>
    step.event !== undefined ? "for an event" : step.until !== undefined ? "until a time" : "for a while",
  Fields: WaitFields,
};
