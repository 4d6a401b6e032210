import type { Step } from "@/api/types";
import { isFinal } from "@/components/states";
import { count } from "@/format";

/** Whether a step works through a list of items. */
export function hasItems(step: Pick<Step, "type">): boolean {
  return step.type === "map" || step.type === "mapreduce";
}

/** How far a map is, in a few words: "2 of 3 ended" on its way; at its end, what became of the items. */
export function itemsTold(step: Step): string {
  const { total, completed, failed } = step.counts;
  if (!isFinal(step.state)) return `${count(completed + failed)} of ${count(total)} ended`;
  const rest = total - completed - failed;
  return [
    `${count(completed)} of ${count(total)} done`,
    ...(failed > 0 ? [`${count(failed)} failed`] : []),
    ...(rest > 0 ? [`${count(rest)} cancelled`] : []),
  ].join(", ");
}

/** The same where there is little room: "1,024 of 1,700". */
export function itemsInShort(step: Step): string {
  const { total, completed, failed } = step.counts;
  return `${count(isFinal(step.state) ? completed : completed + failed)} of ${count(total)}`;
}
