import { createContext, useContext } from "react";
import type { ActionContext } from "@/canvas/actions";

const Context = createContext<ActionContext | null>(null);

export const ActionsProvider = Context.Provider;

export function useActions(): ActionContext {
  const context = useContext(Context);
  if (!context) throw new Error("useActions is used outside the designer");
  return context;
}
