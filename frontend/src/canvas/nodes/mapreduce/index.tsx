import { IconTransform } from "@tabler/icons-react";
import { sourceOf, whatItRuns } from "../describe";
import { CALLING, type StepKind } from "../kinds";
import { MapFields } from "../map/MapFields";

const mapper = "def main(item):\n    return item\n";
const reducer = "def main(results):\n    return len(results)\n";

export const mapreduce: StepKind = {
  ...CALLING,
  type: "mapreduce",
  word: "Map-reduce",
  icon: IconTransform,
  hue: "violet",
  about: "A map and its reduce as one step.",
  defaults: (id) => ({
    id,
    type: "mapreduce",
    over: [1, 2, 3],
    mapper: { code: mapper },
    reducer: { code: reducer },
  }),
  line: (step) => `${sourceOf(step.over)} → ${whatItRuns(step.mapper)}`,
  runs: [
    { field: "mapper", title: "Mapper", code: mapper },
    {
      field: "reducer",
      title: "Reducer",
      code: reducer,
      without: "Without a reducer the step gives the list of the mapper's outputs.",
    },
  ],
  Fields: MapFields,
};
