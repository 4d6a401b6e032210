import { Switch, Table } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { keys } from "@/api/keys";
import { changeTrigger } from "@/api/triggers";
import type { Trigger } from "@/api/types";
import { Allowed } from "@/components/Allowed";
import { StateIcon } from "@/components/StateBadge";
import { Countdown } from "@/features/runs/waiting/Countdown";
import { Ago } from "@/format/Ago";
import classes from "./Triggers.module.css";
import { KINDS, OUTCOME_STATE, whenOf } from "./words";

interface Props {
  trigger: Trigger;
  refusal: string | null;
}

/** One trigger in a list: what it starts and when, what came of it last. */
export function TriggerRow({ trigger, refusal }: Props) {
  const navigate = useNavigate();
  const { icon: Icon, word } = KINDS[trigger.kind];
  const last = trigger.last_firing;
  return (
    <Table.Tr
      className={classes.row}
      onClick={(event) => {
        if ((event.target as Element).closest("a, button, label, input")) return;
        if (!window.getSelection()?.toString())
          void navigate({ to: "/triggers/$id", params: { id: trigger.id } });
      }}
    >
      <Table.Td>
        <div className={classes.who}>
          <Icon size={18} stroke={1.7} aria-label={word} />
          <div className={classes.words}>
            <Link to="/triggers/$id" params={{ id: trigger.id }} className={classes.name}>
              {trigger.name}
            </Link>
            <div className={classes.about}>{whenOf(trigger)}</div>
          </div>
        </div>
      </Table.Td>
      <Table.Td>
        <Link to="/workflows/$name" params={{ name: trigger.workflow }} className={classes.link}>
          {trigger.workflow}
        </Link>
      </Table.Td>
      <Table.Td className={classes.quiet}>
        {last ? (
          <span className={classes.outcome} title={last.detail}>
            <StateIcon state={OUTCOME_STATE[last.outcome] ?? "pending"} />
            {last.outcome} <Ago at={last.at} />
          </span>
        ) : (
          "never"
        )}
      </Table.Td>
      <Table.Td className={classes.quiet}>
        {trigger.due_at ? <Countdown to={trigger.due_at} /> : "–"}
      </Table.Td>
      <Table.Td>
        <EnabledSwitch trigger={trigger} refusal={refusal} />
      </Table.Td>
    </Table.Tr>
  );
}

/** Switches a trigger on and off. */
export function EnabledSwitch({ trigger, refusal, label }: Props & { label?: string }) {
  const client = useQueryClient();
  const change = useMutation({
    mutationFn: (enabled: boolean) => changeTrigger(trigger.id, { enabled }),
    onSettled: () => client.invalidateQueries({ queryKey: keys.triggers() }),
    onError: (error) =>
      notifications.show({ color: "red", title: `${trigger.name} was not changed`, message: error.message }),
  });
  return (
    <Allowed
      refusal={refusal}
      says={trigger.enabled ? "Switches it off: it starts nothing until it is on again" : "Switches it on"}
    >
      {(may) => (
        <Switch
          {...may}
          aria-label={`${trigger.name} is on`}
          label={label}
          checked={change.isPending ? change.variables : trigger.enabled}
          onChange={(event) => change.mutate(event.currentTarget.checked)}
        />
      )}
    </Allowed>
  );
}
