import { createContext, useContext } from "react";

/** What parts of the canvas tell the page around it. */
export interface CanvasEvents {
  /** Someone wants a step between two others; `at` is in the window's coordinates. */
  onInsert: (edge: { source: string; target: string }, at: { x: number; y: number }) => void;
}

const Context = createContext<CanvasEvents>({ onInsert: () => undefined });

export const CanvasEventsProvider = Context.Provider;
export const useCanvasEvents = () => useContext(Context);
