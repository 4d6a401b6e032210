import { queryOptions } from "@tanstack/react-query";
import { query, request } from "./client";
import { keys } from "./keys";
import type { Budget, BudgetFields, Burn, NewBudget, Page, Spend } from "./types";

export const budgetList = queryOptions({
  queryKey: keys.budgets(),
  queryFn: async ({ signal }) => (await request<Page<Budget>>("budgets/?limit=200", { signal })).results,
  refetchInterval: 5000,
});

/** How the budget was spent in this period, up to now. */
export const burnOf = (id: string) =>
  queryOptions({
    queryKey: keys.burn(id),
    queryFn: ({ signal }) => request<Burn>(`budgets/${id}/burn/`, { signal }),
    refetchInterval: 15_000,
  });

export type SpendGroup = "pool" | "workflow";

/** The ledger of the last `days`, by pool or workflow; idle time apart. */
export const spendOf = (group: SpendGroup, range: string, days: number) =>
  queryOptions({
    queryKey: keys.spend(group, range),
    queryFn: ({ signal }) => {
      const from = new Date(Date.now() - days * 86_400_000).toISOString();
      return request<Spend>(`spend/${query({ group, from })}`, { signal });
    },
    placeholderData: (previous): Spend | undefined => previous,
    refetchInterval: 15_000,
  });

export const createBudget = (budget: NewBudget) =>
  request<Budget>("budgets/", { method: "POST", body: budget });
export const changeBudget = (id: string, changes: BudgetFields) =>
  request<Budget>(`budgets/${id}/`, { method: "PATCH", body: changes });
export const deleteBudget = (id: string) => request<void>(`budgets/${id}/`, { method: "DELETE" });
