import { IconArrowsSplit2 } from "@tabler/icons-react";
import { sourceOf, whatItRuns } from "../describe";
import { CALLING, type StepKind } from "../kinds";
import { MapFields } from "./MapFields";

const code = "def main(item):\n    return item\n";

export const map: StepKind = {
  ...CALLING,
  type: "map",
  word: "Map",
  icon: IconArrowsSplit2,
  hue: "violet",
  about: "One call for each element of a list.",
  defaults: (id) => ({ id, type: "map", over: [1, 2, 3], run: { code } }),
  line: (step) => `${sourceOf(step.over)} → ${whatItRuns(step.run)}`,
  runs: [{ field: "run", title: "Runs", code }],
  Fields: MapFields,
};
