import { ActionIcon, Skeleton, Text, Title } from "@mantine/core";
import { modals } from "@mantine/modals";
import { notifications } from "@mantine/notifications";
import { IconBell, IconHourglass, IconPencil, IconTrash, IconTrendingUp } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { burnOf, deleteBudget } from "@/api/budgets";
import { keys } from "@/api/keys";
import { useRefusal } from "@/api/me";
import type { Budget } from "@/api/types";
import { Allowed } from "@/components/Allowed";
import { ErrorNote } from "@/components/ErrorNote";
import { StateBadge } from "@/components/StateBadge";
import { TimeChart } from "@/components/TimeChart";
import { duration, exactTime, money, plural } from "@/format";
import { Ago } from "@/format/Ago";
import { useNow } from "@/format/useNow";
import classes from "./Budgets.module.css";
import { burnDown, LINES, usedUpAt } from "./burning";
import { ADVERBS, alertOf, nameOf } from "./words";

const HUES = { ok: "green", warning: "amber", exhausted: "red" } as const;

interface Props {
  budget: Budget;
  onEdit: () => void;
}

/** One budget in its present period: spent, reserved, left, and how it goes on. */
export function BudgetCard({ budget, onEdit }: Props) {
  const { currency, limit, spent, reserved, forecast, period, timezone, state, mode } = budget;
  const left = Number(limit) - Number(spent) - Number(reserved);
  return (
    <section className={classes.card} aria-label={nameOf(budget)}>
      <header className={classes.head}>
        <div>
          <Title order={2}>{nameOf(budget)}</Title>
          <p className={classes.quiet}>
            {money(limit, currency)} {ADVERBS[period]}
            {period !== "hour" && `, ${timezone}`}
            {mode === "audit" && "; only counted"}
          </p>
        </div>
        <div className={classes.actions}>
          <StateBadge state={state} />
          <Actions budget={budget} onEdit={onEdit} />
        </div>
      </header>
      <p className={classes.spent}>
        <span className={classes.large}>{money(spent, currency)}</span>
        <span className={classes.quiet}>
          of {money(limit, currency)} spent, ends in <Until at={budget.ends_at} />
        </span>
      </p>
      <Bar budget={budget} />
      <dl className={classes.legend}>
        <Amount
          name="reserved"
          value={money(reserved, currency)}
          says="By steps that run, up to their time-outs"
        />
        <Amount name="left" value={money(Math.max(0, left), currency)} says="What may still start" />
        <Amount
          name="forecast"
          value={money(forecast, currency)}
          says="At the period’s end, if it goes on as in the last day (of an hour: as in the last hour)"
        />
      </dl>
      <Waiting budget={budget} />
      <BurnDown budget={budget} />
      <Alerts budget={budget} />
    </section>
  );
}

function Until({ at }: { at: string }) {
  const now = useNow("slow");
  return <time title={exactTime(at)}>{duration(Math.max(0, Date.parse(at) - now))}</time>;
}

function Amount({ name, value, says }: { name: string; value: string; says: string }) {
  return (
    <div title={says}>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function Bar({ budget: { limit, spent, reserved, state } }: { budget: Budget }) {
  const whole = Math.max(Number(limit), 1e-9);
  const part = (amount: string) => `${Math.min(100, (100 * Number(amount)) / whole)}%`;
  return (
    <div className={classes.bar} data-hue={HUES[state]} aria-hidden>
      <div className={classes.part} style={{ width: part(spent) }} />
      <div className={classes.part} data-reserved style={{ width: part(reserved) }} />
    </div>
  );
}

/** What the budget holds up now. */
function Waiting({ budget: { waiting, state, mode } }: { budget: Budget }) {
  if (waiting === 0 && state !== "exhausted") return null;
  const end = mode === "enforce" ? "Nothing new starts until the next period, or a higher limit." : "";
  return (
    <p className={classes.note} data-hue="amber" role="status">
      <IconHourglass size={16} aria-hidden />
      {waiting > 0 ? `${plural(waiting, "call")} ${waiting === 1 ? "waits" : "wait"} for this budget. ` : ""}
      {state === "exhausted" ? end : ""}
    </p>
  );
}

function BurnDown({ budget }: { budget: Budget }) {
  const { data, error, isPending, refetch } = useQuery(burnOf(budget.id));
  const now = useNow("slow") / 1000;
  if (error)
    return <ErrorNote error={error} title="How it was spent is not known" onRetry={() => void refetch()} />;
  if (isPending) return <Skeleton height={160} />;
  const range: [number, number] = [Date.parse(data.starts_at) / 1000, Date.parse(data.ends_at) / 1000];
  const gone = usedUpAt(data, now);
  const { currency } = budget;
  return (
    <>
      <TimeChart
        lines={LINES}
        data={burnDown(data, now)}
        range={() => range}
        height={140}
        format={(value) => money(value, currency)}
        label={`What is left of ${money(data.limit, currency)} over the period; ${
          gone === null ? "it lasts, as it goes now" : `used up at ${exactTime(gone * 1000)}, as it goes now`
        }.`}
      />
      {gone !== null && (
        <p className={classes.note} data-hue="amber">
          <IconTrendingUp size={16} aria-hidden />
          <span title={exactTime(gone * 1000)}>
            As it goes now, it is used up in {duration((gone - now) * 1000)}.
          </span>
        </p>
      )}
    </>
  );
}

function Alerts({ budget: { alerts } }: { budget: Budget }) {
  if (alerts.length === 0) return null;
  return (
    <ul className={classes.alerts} aria-label="Alerts of this period">
      {alerts.map(({ threshold, at }) => (
        <li key={threshold}>
          <span className={classes.note} data-hue={threshold === "100" ? "red" : "amber"}>
            <IconBell size={16} aria-hidden />
            {alertOf(threshold)}
          </span>
          <span className={classes.quiet}>
            <Ago at={at} />
          </span>
        </li>
      ))}
    </ul>
  );
}

function Actions({ budget, onEdit }: Props) {
  const client = useQueryClient();
  const refusal = useRefusal("admin");
  const name = nameOf(budget);
  const remove = useMutation({
    mutationFn: () => deleteBudget(budget.id),
    onSuccess: () => void client.invalidateQueries({ queryKey: keys.budgets() }),
    onError: (error) =>
      notifications.show({ color: "red", title: "The budget stays", message: error.message }),
  });
  const ask = () =>
    modals.openConfirmModal({
      title: "Delete this budget?",
      children: (
        <Text>
          Nothing limits what {name === "The whole team" ? "the team" : name} may cost by it any more, and
          what waits for it goes on. What was spent stays in the ledger.
        </Text>
      ),
      labels: { confirm: "Delete budget", cancel: "Leave it" },
      confirmProps: { color: "red" },
      groupProps: { mt: 24, gap: 8 },
      onConfirm: () => remove.mutate(),
    });
  const look = { variant: "subtle", color: "gray" } as const;
  return (
    <>
      <Allowed refusal={refusal}>
        {(may) => (
          <ActionIcon {...may} {...look} aria-label={`Edit the budget of ${name}`} onClick={onEdit}>
            <IconPencil size={16} />
          </ActionIcon>
        )}
      </Allowed>
      <Allowed refusal={refusal}>
        {(may) => (
          <ActionIcon
            {...may}
            {...look}
            aria-label={`Delete the budget of ${name}`}
            loading={remove.isPending}
            onClick={ask}
          >
            <IconTrash size={16} />
          </ActionIcon>
        )}
      </Allowed>
    </>
  );
}
