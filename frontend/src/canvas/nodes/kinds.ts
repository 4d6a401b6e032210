import type { TablerIcon } from "@tabler/icons-react";
import type { ComponentType } from "react";
import type { Step } from "../document";

/** What the fields of one step need to know, and how they change it. */
export interface StepFieldsProps {
  step: Step;
  /** Where the step stands in the document: `steps[2]`. */
  path: string;
  /** Sets fields; those that are `undefined` are left out of the document. */
  set: (fields: Partial<Step>) => void;
}

/** A type of step: how it looks, what a new one holds, and the fields that only it has. */
export interface StepKind {
  type: string;
  word: string;
  icon: TablerIcon;
  /** One of the theme's colours. */
  hue: string;
  /** A line for the palette. */
  about: string;
  /** A new step; it runs as it is. */
  defaults: (id: string) => Step;
  /** What stands on the node below its name. */
  Body: ComponentType<{ step: Step }>;
  Fields?: ComponentType<StepFieldsProps>;
}
