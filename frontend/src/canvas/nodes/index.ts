/** The types of steps that the designer knows, in the palette's order. A new type is a folder and a line here. */
import { IconBox } from "@tabler/icons-react";
import type { StepKind } from "./kinds";
import { map } from "./map";
import { reduce } from "./reduce";
import { task } from "./task";

export const KINDS: readonly StepKind[] = [task, map, reduce];

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
