import type { SpotlightActionData } from "@mantine/spotlight";
import { useEffect } from "react";
import { create } from "zustand";

interface Registry {
  commands: SpotlightActionData[];
}

const useRegistry = create<Registry>(() => ({ commands: [] }));

/** What the page that is open can do; shown first in Ctrl-K. */
export function usePageCommands(): SpotlightActionData[] {
  return useRegistry((state) => state.commands);
}

/** Offers a page's commands in Ctrl-K for as long as the page is open. Give a memoized list. */
export function useOfferCommands(commands: SpotlightActionData[]): void {
  useEffect(() => {
    useRegistry.setState({ commands });
    return () => useRegistry.setState({ commands: [] });
  }, [commands]);
}
