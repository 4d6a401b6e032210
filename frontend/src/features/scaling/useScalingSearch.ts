import { useNavigate, useSearch } from "@tanstack/react-router";

/** What of a pool's scaling page stands in the address. */
export interface ScalingSearch {
  range?: string;
  action?: string;
  reason?: string;
  tab?: string;
  edit?: string;
  simulation?: string;
  decision?: number;
}

/** The page's address, and how to change a part of it: Back undoes that. */
export function useScalingSearch() {
  const search = useSearch({ strict: false }) as ScalingSearch;
  const navigate = useNavigate();
  const set = (change: ScalingSearch) =>
    void navigate({ to: ".", search: { ...search, ...change }, resetScroll: false });
  return { search, set };
}
