import { Button, Drawer, Skeleton, Stack, Title } from "@mantine/core";
import { IconCircleCheck, IconCircleX, IconRepeat } from "@tabler/icons-react";
import { useMutation, useQuery } from "@tanstack/react-query";
import { Fragment } from "react";
import { decisionDetail, replayDecision } from "@/api/scaling";
import type { Decision, Replay } from "@/api/types";
import { ErrorNote } from "@/components/ErrorNote";
import { StateBadge } from "@/components/StateBadge";
import { Fact, Facts } from "@/features/runs/inspector/Facts";
import { count, exactTime, plural } from "@/format";
import { Ago } from "@/format/Ago";
import classes from "./Scaling.module.css";
import { seenBy, valuesOf } from "./facts";
import { ACTIONS, clampOf, REASONS, reasonOf } from "./words";

interface Props {
  id: number;
  /** The decision, where the page has it already. */
  known: Decision | undefined;
  onClose: () => void;
}

/** One decision: why, on what signals, what limited it; and whether it is made again on the same. */
export function DecisionDrawer({ id, known, onClose }: Props) {
  const asked = useQuery({ ...decisionDetail(id), enabled: known === undefined });
  const decision = known ?? asked.data;
  return (
    <Drawer
      opened
      onClose={onClose}
      position="right"
      size={480}
      title={`Decision ${id}`}
      closeButtonProps={{ "aria-label": "Close" }}
      attributes={{ header: { role: "none" } }}
      transitionProps={{ duration: 100 }}
      overlayProps={{ opacity: 0.3 }}
    >
      {asked.error && <ErrorNote error={asked.error} onRetry={() => void asked.refetch()} />}
      {!decision && !asked.error && <Skeleton height={320} />}
      {decision && <Told decision={decision} key={id} />}
    </Drawer>
  );
}

function Told({ decision }: { decision: Decision }) {
  const { action, current_size, target_size, reason, explanation, at, mode, wish, clamped_by } = decision;
  return (
    <Stack gap={16}>
      <div className={classes.head}>
        <StateBadge state={action} size="md" />
        <span className={classes.quiet} title={exactTime(at)}>
          <Ago at={at} />
        </span>
      </div>
      <p className={classes.said}>{explanation}.</p>
      <Facts>
        <Fact name="Size">
          {count(current_size)} → {count(target_size)}
        </Fact>
        <Fact name="Reason">
          <span title={REASONS[reason].says}>{reasonOf(reason)}</span>
        </Fact>
        <Fact name="Asked for">{plural(wish, "agent")}, before windows and limits</Fact>
        <Fact name="At">{exactTime(at)}</Fact>
        {mode === "shadow" && <Fact name="Mode">shadow: nothing was changed</Fact>}
      </Facts>
      <Wishes decision={decision} />
      <section className={classes.section}>
        <Title order={3} mb={8}>
          What limited it
        </Title>
        {clamped_by.length === 0 ? (
          <span className={classes.quiet}>Nothing: the wish was followed as it was.</span>
        ) : (
          <ul className={classes.clamps}>
            {clamped_by.map((name) => (
              <li key={name}>{clampOf(name)}</li>
            ))}
          </ul>
        )}
      </section>
      <section className={classes.section}>
        <Title order={3} mb={8}>
          What it saw
        </Title>
        <Facts>
          {seenBy(decision.signals).map(([name, value, says]) => (
            <Fact key={name} name={name}>
              <span title={says}>{value}</span>
            </Fact>
          ))}
        </Facts>
      </section>
      <details className={classes.section}>
        <summary>The policy as it counted</summary>
        <dl className={classes.policyValues}>
          {valuesOf(decision.policy).map(([name, value]) => (
            <Fragment key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </Fragment>
          ))}
        </dl>
      </details>
      <ReplaySection decision={decision} />
    </Stack>
  );
}

/** Each rule's own wish; the largest counts. */
function Wishes({ decision: { candidates } }: { decision: Decision }) {
  const rules = Object.entries(candidates).sort(([, a], [, b]) => b - a);
  const most = Math.max(1, ...rules.map(([, agents]) => agents));
  if (rules.length === 0) return null;
  return (
    <section className={classes.section}>
      <Title order={3} mb={8}>
        What each rule asked for
      </Title>
      <dl className={classes.wishes}>
        {rules.map(([name, agents], index) => (
          <Fragment key={name}>
            <dt data-strongest={index === 0 || undefined}>{reasonOf(name)}</dt>
            <div
              className={classes.bar}
              data-strongest={index === 0 || undefined}
              style={{ width: `${(agents / most) * 100}%` }}
              aria-hidden
            />
            <dd className="tabular">{plural(agents, "agent")}</dd>
          </Fragment>
        ))}
      </dl>
    </section>
  );
}

function ReplaySection({ decision }: { decision: Decision }) {
  const replay = useMutation({ mutationFn: () => replayDecision(decision.id) });
  return (
    <section className={classes.section}>
      <Title order={3} mb={8}>
        Replay
      </Title>
      <Stack gap={12} align="flex-start">
        <span className={classes.quiet}>
          Decides again on these signals, with this policy. Nothing is changed by it.
        </span>
        <Button
          variant="default"
          leftSection={<IconRepeat size={16} aria-hidden />}
          loading={replay.isPending}
          onClick={() => replay.mutate()}
        >
          Replay
        </Button>
        {replay.error && <ErrorNote error={replay.error} title="It was not replayed" />}
        {replay.data && <Verdict again={replay.data} />}
      </Stack>
    </section>
  );
}

function Verdict({ again }: { again: Replay }) {
  const Icon = again.same ? IconCircleCheck : IconCircleX;
  const action = ACTIONS[again.action as Decision["action"]] ?? again.action;
  const outcome = `${action}, ${plural(again.target_size, "agent")}, by ${reasonOf(again.reason)}`;
  return (
    <p className={classes.verdict} data-hue={again.same ? "green" : "red"} role="status">
      <Icon size={16} aria-hidden />
      {again.same
        ? `The same decision: ${outcome}.`
        : `Another decision than was recorded: ${outcome}. The rules, or the record, have changed since.`}
    </p>
  );
}
