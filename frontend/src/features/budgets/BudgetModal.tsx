import { Button, Group, Modal, NumberInput, SegmentedControl, Select, Stack, Text } from "@mantine/core";
import { useForm, type UseFormReturnType } from "@mantine/form";
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { changeBudget, createBudget, spendOf } from "@/api/budgets";
import { ApiProblem } from "@/api/client";
import { keys } from "@/api/keys";
import { me } from "@/api/me";
import type { Budget } from "@/api/types";
import { workflowList } from "@/api/workflows";
import { ErrorNote } from "@/components/ErrorNote";
import { Fields, helped } from "@/features/pools/settings/sections";
import { knownZones } from "@/features/triggers/words";
import { usePools } from "@/realtime/pools/usePoolsFeed";
import { MODES, nameOf, PERIODS, SCOPES } from "./words";

interface Props {
  /** The one to change; a new one is made without it. */
  budget?: Budget;
  onClose: () => void;
}

interface Draft {
  scope: Budget["scope"];
  target: string | null;
  period: Budget["period"];
  limit: string | number;
  mode: Budget["mode"];
  timezone: string;
}

type BudgetForm = UseFormReturnType<Draft>;

const FIELDS = new Set(["scope", "target", "period", "limit", "mode", "timezone"]);

/** Makes a budget, or changes its cap. */
export function BudgetModal({ budget, onClose }: Props) {
  return (
    <Modal
      opened
      onClose={onClose}
      size={560}
      title={budget ? `Budget of ${nameOf(budget).replace("The", "the")}` : "New budget"}
      closeOnClickOutside={false}
    >
      <Editor budget={budget} onClose={onClose} />
    </Modal>
  );
}

function Editor({ budget, onClose }: Props) {
  const { form, save } = useBudgetForm(budget, onClose);
  const { mode } = form.values;
  const faults = save.error instanceof ApiProblem ? save.error.errors : [];
  const more = save.error && (faults.length === 0 || faults.some(({ path }) => !FIELDS.has(path)));
  const currency = useQuery(spendOf("pool", "7d", 7)).data?.currency;
  const zones = knownZones();
  const zone = form.values.timezone;
  return (
    <form onSubmit={form.onSubmit((draft) => save.mutate(draft))} aria-label="Budget" noValidate>
      <Stack gap={16}>
        {!budget && <WhoFields form={form} />}
        <Fields cols={2}>
          <NumberInput
            {...helped}
            allowNegative={false}
            thousandSeparator=","
            label="Limit"
            description={`In ${budget?.currency ?? currency ?? "the installation’s currency"}, for each period`}
            data-autofocus
            {...form.getInputProps("limit")}
          />
          <Select
            {...helped}
            label="Time zone"
            description="Whose midnight begins a period"
            data={zones.includes(zone) ? zones : [zone, ...zones]}
            searchable
            limit={50}
            {...form.getInputProps("timezone")}
          />
        </Fields>
        <Stack gap={4}>
          <Text size="sm" fw={500} id="budget-mode">
            When it is used up
          </Text>
          <SegmentedControl aria-labelledby="budget-mode" data={MODES} {...form.getInputProps("mode")} />
          <Text size="xs" c="dimmed">
            {MODES.find(({ value }) => value === mode)?.says}
          </Text>
        </Stack>
        {more && (
          <ErrorNote
            error={save.error}
            title={budget ? "The budget was not changed" : "The budget was not made"}
          />
        )}
        <Group justify="flex-end" gap={8}>
          <Button variant="default" onClick={onClose}>
            Leave it
          </Button>
          <Button type="submit" loading={save.isPending} disabled={budget && !form.isDirty()}>
            {budget ? "Save" : "Create"}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function useBudgetForm(budget: Budget | undefined, onClose: () => void) {
  const client = useQueryClient();
  const form = useForm<Draft>({
    initialValues: {
      scope: budget?.scope ?? "team",
      target: budget?.target ?? null,
      period: budget?.period ?? "day",
      limit: budget ? Number(budget.limit) : "",
      mode: budget?.mode ?? "enforce",
      timezone: budget?.timezone ?? (Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC"),
    },
    validate: {
      limit: (limit) => (limit === "" ? "This needs a number." : null),
      target: (target, { scope }) => (scope !== "team" && !target ? `Choose the ${scope}.` : null),
    },
  });
  const save = useMutation({
    mutationFn: ({ scope, target, period, limit, mode, timezone }: Draft) => {
      const fields = { limit: String(limit), mode, timezone };
      if (budget) return changeBudget(budget.id, fields);
      return createBudget({ ...fields, scope, period, ...(scope === "team" ? {} : { target }) });
    },
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: keys.budgets() });
      onClose();
    },
    onError: (error) => {
      const faults = error instanceof ApiProblem ? error.errors : [];
      form.setErrors(Object.fromEntries(faults.map(({ path, message }) => [path, message])));
    },
  });
  return { form, save };
}

/** Whom it is for, and how often it begins anew: these stay as they are made. */
function WhoFields({ form }: { form: BudgetForm }) {
  const { scope, period } = form.values;
  const own = useQuery(me).data?.team.slug;
  const pools = usePools().data?.pools.filter(({ team }) => team === own) ?? [];
  const workflows = useInfiniteQuery({ ...workflowList(""), enabled: scope === "workflow" });
  const names =
    scope === "pool"
      ? pools.map(({ name }) => name)
      : (workflows.data?.pages.flatMap((page) => page.results.map(({ name }) => name)) ?? []);
  return (
    <Fields cols={2}>
      <Select
        {...helped}
        label="For"
        description={SCOPES.find(({ value }) => value === scope)?.says}
        data={SCOPES}
        {...form.getInputProps("scope")}
        onChange={(value) => form.setValues({ scope: value as Budget["scope"], target: null })}
      />
      <Select
        {...helped}
        label="Period"
        description={PERIODS.find(({ value }) => value === period)?.says}
        data={PERIODS}
        {...form.getInputProps("period")}
      />
      {scope !== "team" && (
        <Select
          {...helped}
          label={scope === "pool" ? "Pool" : "Workflow"}
          data={names}
          searchable
          nothingFoundMessage={`No ${scope} has that name.`}
          {...form.getInputProps("target")}
        />
      )}
    </Fields>
  );
}
