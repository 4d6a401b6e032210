/**
 * The state of one open designer: the document with its history, what is selected, what is wrong.
 * Does not: fetch, save or show anything; the features do.
 */
import { createContext, useContext } from "react";
import { createStore, type StoreApi, useStore } from "zustand";
import { type Base, type DocumentSlice, documentSlice } from "./documentSlice";
import { type ProblemsSlice, problemsSlice } from "./problemsSlice";
import { openGraph, openLoop, type SelectionSlice, selectionSlice } from "./selectionSlice";

export type DesignerState = DocumentSlice & SelectionSlice & ProblemsSlice;
export type DesignerStore = StoreApi<DesignerState>;
export type { Base };
export { openGraph, openLoop };

/** `readOnly`: an old version, or a person who may only look; a text says why where controls are off. */
export function createDesignerStore(base: Base, readOnly: boolean | string = false): DesignerStore {
  return createStore<DesignerState>()((...tools) => ({
    ...documentSlice(base, readOnly)(...tools),
    ...selectionSlice(...tools),
    ...problemsSlice(...tools),
  }));
}

const Context = createContext<DesignerStore | null>(null);

export const DesignerProvider = Context.Provider;

export function useDesignerStore(): DesignerStore {
  const store = useContext(Context);
  if (!store) throw new Error("useDesigner is used outside a DesignerProvider");
  return store;
}

export function useDesigner<T>(select: (state: DesignerState) => T): T {
  return useStore(useDesignerStore(), select);
}
