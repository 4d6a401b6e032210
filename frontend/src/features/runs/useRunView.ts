import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback } from "react";

/** What of a run is looked at; all of it in the address. */
export interface RunView {
  step?: string;
  tab?: string;
  /** A filter of the items by state. */
  items?: string;
  item?: number;
}

export function useRunView(): [RunView, (change: RunView) => void] {
  const view = useSearch({ strict: false }) as RunView;
  const navigate = useNavigate();
  const look = useCallback(
    (change: RunView) =>
      void navigate({
        to: ".",
        search: (current) => ({ ...current, ...change }),
        resetScroll: false,
      }),
    [navigate],
  );
  return [view, look];
}
