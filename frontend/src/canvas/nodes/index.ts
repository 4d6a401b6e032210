/** The types of steps that the designer knows, in the palette's order. A new type is a folder and a line here. */
import { IconBox } from "@tabler/icons-react";
import { approval } from "./approval";
import { branch } from "./branch";
import type { StepKind } from "./kinds";
import { loop } from "./loop";
import { map } from "./map";
import { mapreduce } from "./mapreduce";
import { reduce } from "./reduce";
import { task } from "./task";
import { wait } from "./wait";
import { workflow } from "./workflow";

export const KINDS: readonly StepKind[] = [
  task,
  map,
  reduce,
  mapreduce,
  branch,
  loop,
  workflow,
  approval,
  wait,
];

/** The kind of a step; a type that this page does not know looks plain, and keeps all its fields. */
export function kindOf(type: string): StepKind {
  return (
    KINDS.find((kind) => kind.type === type) ?? {
      ...task,
      type,
      word: type || "Unknown",
      icon: IconBox,
      hue: "grey",
    }
  );
}
