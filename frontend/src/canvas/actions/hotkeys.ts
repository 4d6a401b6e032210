import { type HotkeyItem, useHotkeys } from "@mantine/hooks";
import { useMemo } from "react";
import { ACTIONS, type Action, type ActionContext, perform } from "./index";

/** Keys do nothing while a dialog or a menu is open, and plain ones only where nothing else could be meant. */
function meansTheCanvas(event: KeyboardEvent): boolean {
  if (document.querySelector('[role="dialog"], [role="menu"], [data-af-palette]')) return false;
  if (event.ctrlKey || event.metaKey) return true;
  const target = event.target instanceof Element ? event.target : document.body;
  const canvas = document.querySelector(".react-flow");
  return target.contains(canvas) || (canvas?.contains(target) ?? false);
}

/** Fields that are taken over when one leaves them are taken over now; the keyboard stays where it was. */
function finishTyping(): void {
  const active = document.activeElement;
  if (!(active instanceof HTMLElement) || active === document.body) return;
  active.blur();
  if (active.isConnected) active.focus({ preventScroll: true });
}

function item(action: Action, hotkey: string, context: ActionContext): HotkeyItem {
  return [
    hotkey,
    (event) => {
      if (!meansTheCanvas(event)) return;
      if (action.everywhere) finishTyping();
      if (perform(action, context)) event.preventDefault();
    },
    { preventDefault: action.everywhere === true },
  ];
}

const MORE: Record<string, string[]> = { delete: ["Backspace"], redo: ["mod+Y"] };

/** Binds every action's hotkey for as long as the designer is open. */
export function useActionHotkeys(context: ActionContext): void {
  const [everywhere, outside] = useMemo(() => {
    const items = (among: Action[]) =>
      among.flatMap((action) =>
        [action.hotkey, ...(MORE[action.id] ?? [])]
          .filter((hotkey): hotkey is string => hotkey !== undefined)
          .map((hotkey) => item(action, hotkey, context)),
      );
    return [
      items(ACTIONS.filter((action) => action.everywhere)),
      items(ACTIONS.filter((action) => !action.everywhere)),
    ];
  }, [context]);
  useHotkeys(everywhere, [], true);
  useHotkeys(outside);
}
