import { createElement, useMemo } from "react";
import { ACTIONS, type ActionContext, perform } from "@/canvas/actions";
import { useOfferCommands } from "@/shell/commandRegistry";
import { keysOf } from "./Toolbar";

/** Offers the designer's actions in Ctrl-K. */
export function usePageCommands(context: ActionContext): void {
  const commands = useMemo(
    () =>
      ACTIONS.map((action) => ({
        id: `designer-${action.id}`,
        label: action.label,
        description: action.hotkey ? keysOf(action.hotkey) : undefined,
        leftSection: createElement(action.icon, { size: 18, stroke: 1.7 }),
        // The search closes first: what opens a panel of its own needs the keyboard.
        onClick: () => void window.setTimeout(() => perform(action, context), 50),
      })),
    [context],
  );
  useOfferCommands(commands);
}
