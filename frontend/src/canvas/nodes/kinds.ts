import type { TablerIcon } from "@tabler/icons-react";
import type { ComponentType } from "react";
import type { RunField, Step } from "../document";

/** What the fields of one step need to know, and how they change it. */
export interface StepFieldsProps {
  step: Step;
  /** Where the step stands in the document: `steps[2]`. */
  path: string;
  /** Sets fields; those that are `undefined` are left out of the document. */
  set: (fields: Partial<Step>) => void;
}

/** One of the things that a step runs on agents. */
export interface RunKind {
  field: RunField;
  title: string;
  /** The code of a new one. */
  code: string;
  /** What it means that there is none; absent when there has to be one. */
  without?: string;
}

/** Which of the fields that several types share a type has. */
export interface Traits {
  /** It calls agents: it has input, pool and total time-out, and can be tried alone. */
  calls: boolean;
  timeout: boolean;
  retry: boolean;
}

export const CALLING: Traits = { calls: true, timeout: true, retry: true };
export const QUIET: Traits = { calls: false, timeout: false, retry: false };

/** A type of step: how it looks, what a new one holds, and the fields that only it has. */
export interface StepKind extends Traits {
  type: string;
  word: string;
  icon: TablerIcon;
  /** One of the theme's colours. */
  hue: string;
  /** A line for the palette. */
  about: string;
  /** A new step; it runs as it is. `fresh` gives an id for another step inside it. */
  defaults: (id: string, fresh: (base: string) => string) => Step;
  /** What stands on the node below its name. */
  line: (step: Step) => string;
  /** What stands beside the type's word on the node; where it runs, when left out. */
  note?: (step: Step) => string;
  runs?: RunKind[];
  Fields?: ComponentType<StepFieldsProps>;
}
