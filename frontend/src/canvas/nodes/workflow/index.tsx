import { IconSitemap } from "@tabler/icons-react";
import { QUIET, type StepKind } from "../kinds";
import { WorkflowFields } from "./WorkflowFields";

export const workflow: StepKind = {
  ...QUIET,
  timeout: true,
  retry: true,
  type: "workflow",
  word: "Sub-workflow",
  icon: IconSitemap,
  hue: "slate",
  about: "Runs another workflow of the team.",
  defaults: (id) => ({ id, type: "workflow", workflow: "" }),
  line: (step) => step.workflow || "choose a workflow",
  note: (step) => (step.version === undefined ? "newest" : `version ${step.version}`),
  Fields: WorkflowFields,
};
