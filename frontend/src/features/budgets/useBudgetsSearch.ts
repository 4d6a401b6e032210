import { useNavigate, useSearch } from "@tanstack/react-router";

/** What of the page stands in the address: the budget that is edited, and what the ledger shows. */
export interface BudgetsSearch {
  edit?: string;
  group?: string;
  range?: string;
}

export function useBudgetsSearch() {
  const search = useSearch({ strict: false }) as BudgetsSearch;
  const navigate = useNavigate();
  const set = (change: BudgetsSearch) =>
    void navigate({ to: ".", search: { ...search, ...change }, resetScroll: false });
  return { search, set };
}
