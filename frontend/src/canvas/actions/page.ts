import { IconDeviceFloppy, IconPlayerPlayFilled } from "@tabler/icons-react";
import type { Action } from "./index";

export const page: Action[] = [
  {
    id: "save",
    label: "Save",
    icon: IconDeviceFloppy,
    hotkey: "mod+S",
    everywhere: true,
    enabled: ({ dirty, readOnly }) => dirty && !readOnly,
    run: ({ save }) => save(),
  },
  {
    id: "run",
    label: "Run",
    icon: IconPlayerPlayFilled,
    hotkey: "mod+Enter",
    enabled: ({ document, readOnly }) => document.steps.length > 0 && !readOnly,
    run: ({ run }) => run(),
  },
];
