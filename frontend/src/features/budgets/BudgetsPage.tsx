import { Button, Skeleton } from "@mantine/core";
import { IconCoins, IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { budgetList } from "@/api/budgets";
import { useRefusal } from "@/api/me";
import { Allowed } from "@/components/Allowed";
import { EmptyState } from "@/components/EmptyState";
import { ErrorNote } from "@/components/ErrorNote";
import { PageHeader } from "@/components/PageHeader";
import { Page } from "@/shell/Page";
import { BudgetCard } from "./BudgetCard";
import { BudgetModal } from "./BudgetModal";
import classes from "./Budgets.module.css";
import { Ledger } from "./Ledger";
import { useBudgetsSearch } from "./useBudgetsSearch";

const NEW = "new";

/** What agents may cost, what they did cost, and what of it they lay idle. */
export default function BudgetsPage() {
  const { search, set } = useBudgetsSearch();
  const { data, error, isPending, refetch } = useQuery(budgetList);
  const refusal = useRefusal("admin");
  const edited = data?.find(({ id }) => id === search.edit);
  const close = () => set({ edit: undefined });
  return (
    <Page>
      <PageHeader
        title="Budgets"
        about="What agents may cost, and what they did cost. Idle time is told apart."
      >
        <Allowed refusal={refusal}>
          {(may) => (
            <Button
              {...may}
              leftSection={<IconPlus size={16} aria-hidden />}
              onClick={() => set({ edit: NEW })}
            >
              New budget
            </Button>
          )}
        </Allowed>
      </PageHeader>
      {error && <ErrorNote error={error} onRetry={() => void refetch()} />}
      {isPending && (
        <div className={classes.cards}>
          <Skeleton height={320} radius="md" />
          <Skeleton height={320} radius="md" />
        </div>
      )}
      {data?.length === 0 && (
        <EmptyState icon={IconCoins} title="No budgets yet">
          A budget says what the agents of the team, of a pool or of a workflow may cost in an hour, a day or
          a month. It warns before it is used up, and then lets nothing new start; what runs is never ended.
        </EmptyState>
      )}
      {data && data.length > 0 && (
        <div className={classes.cards}>
          {data.map((budget) => (
            <BudgetCard key={budget.id} budget={budget} onEdit={() => set({ edit: budget.id })} />
          ))}
        </div>
      )}
      <Ledger />
      {search.edit === NEW && <BudgetModal onClose={close} />}
      {edited && <BudgetModal budget={edited} onClose={close} />}
    </Page>
  );
}
