/**
 * Everything one can do in the designer, as registered objects: buttons, hotkeys and Ctrl-K all run these.
 * An action asks the context for what it needs, and never touches React.
 */
import type { TablerIcon } from "@tabler/icons-react";
import type { Position } from "../document";
import type { Viewport } from "../placement";
import type { DesignerState, DesignerStore } from "../store";
import { editing } from "./editing";
import { page } from "./page";
import { view } from "./view";

/** The canvas, as far as actions need it. */
export interface CanvasView {
  /** What is seen, in the canvas's coordinates. */
  viewport: () => Viewport;
  fit: () => void;
  /** Brings a place into view when it is not. */
  reveal: (at: Position) => void;
  /** Moves the keyboard to a step's node. */
  focus: (step: string) => void;
}

/** Where a new step goes: after a step, between two, or at a place; where it is best when nothing is said. */
export interface Insertion {
  at?: Position;
  after?: string;
  edge?: { source: string; target: string };
}

export interface ActionContext {
  store: DesignerStore;
  canvas: () => CanvasView | null;
  openPalette: () => void;
  save: () => void;
  run: () => void;
  /** Opens a step to be run alone; absent where that cannot be. */
  tryStep?: (step: string) => void;
}

export interface Action {
  id: string;
  label: string;
  icon: TablerIcon;
  /** In the notation of @mantine/hooks: `mod+Z`. */
  hotkey?: string;
  /** Also works while one types in a field. */
  everywhere?: boolean;
  enabled: (state: DesignerState) => boolean;
  run: (context: ActionContext) => void | Promise<void>;
}

export const ACTIONS: readonly Action[] = [...editing, ...view, ...page];

export function actionOf(id: string): Action {
  const found = ACTIONS.find((action) => action.id === id);
  if (!found) throw new Error(`There is no action ${id}`);
  return found;
}

/** Runs the action when it is enabled; says whether it was. */
export function perform(action: Action, context: ActionContext): boolean {
  if (!action.enabled(context.store.getState())) return false;
  void action.run(context);
  return true;
}
