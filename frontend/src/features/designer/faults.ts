/** Where a fault is, in words for people. */
import type { Fault } from "@/api/types";
import { findStep, type WorkflowDocument } from "@/canvas/document";

const TO_THE_STEP = /^steps\[\d+\](\.steps\[\d+\])*\.?/;

/** `steps[1].run.code` of the step "count" reads better as `count.run.code`. */
export function placeOf({ path, step }: Fault): string {
  if (!step) return path;
  const rest = path.replace(TO_THE_STEP, "");
  return rest === "" || rest === path ? step : `${step}.${rest}`;
}

/** `steps[1].pool.size` of the step "b" is "size of step b". */
export function placeInWords({ path, step }: Fault): string {
  if (!step) return path;
  const last = path.replace(TO_THE_STEP, "").split(".").at(-1);
  return last ? `${last.replace(/_/g, " ")} of step ${step}` : `step ${step}`;
}

/** What a refused save says: the first fault, and how many more there are. */
export function summaryOf(faults: Fault[]): string {
  const [first] = faults;
  if (!first) return "";
  const more = faults.length - 1;
  const others = more === 0 ? "" : ` ${more} more in the list of problems.`;
  return `${placeInWords(first)}: ${first.message}${others}`;
}

/** The server's faults, in plainer words where the document alone tells what is meant. */
export function plainer(document: WorkflowDocument, faults: Fault[]): Fault[] {
  return faults.map((fault) => {
    const step = findStep(document, fault.step);
    const unnamed = step?.type === "workflow" && !step.workflow && fault.path.endsWith(".workflow");
    return unnamed ? { ...fault, message: "Choose the workflow that this step runs." } : fault;
  });
}
