import { IconArrowsSplit2 } from "@tabler/icons-react";
import type { Step } from "../../document";
import { isExpression } from "../../expressions";
import { whatItRuns } from "../describe";
import type { StepKind } from "../kinds";
import { MapFields } from "./MapFields";

function Body({ step }: { step: Step }) {
  return (
    <>
      {source(step.over)} → {whatItRuns(step)}
    </>
  );
}

/** Where the elements come from, in few words. */
function source(over: unknown): string {
  if (isExpression(over)) return over.trim().slice(2, -1);
  if (Array.isArray(over)) return over.length === 1 ? "1 element" : `${over.length} elements`;
  return "no list yet";
}

export const map: StepKind = {
  type: "map",
  word: "Map",
  icon: IconArrowsSplit2,
  hue: "violet",
  about: "One call for each element of a list, side by side.",
  defaults: (id) => ({
    id,
    type: "map",
    over: [1, 2, 3],
    run: { code: "def main(item):\n    return item\n" },
  }),
  Body,
  Fields: MapFields,
};
