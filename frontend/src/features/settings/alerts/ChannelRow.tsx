import { ActionIcon, Button, Switch, Text } from "@mantine/core";
import { modals } from "@mantine/modals";
import { notifications } from "@mantine/notifications";
import { IconMail, IconPencil, IconTrash, IconWebhook } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { changeChannel, removeChannel, testChannel } from "@/api/alerts";
import { keys } from "@/api/keys";
import { useRefusal } from "@/api/me";
import type { AlertChannel, AlertDelivery } from "@/api/types";
import { Allowed } from "@/components/Allowed";
import { StateBadge } from "@/components/StateBadge";
import { Countdown } from "@/features/runs/waiting/Countdown";
import { plural } from "@/format";
import { Ago } from "@/format/Ago";
import classes from "./Alerts.module.css";
import { CHANNEL_KINDS, kindsOf } from "./words";

interface Props {
  channel: AlertChannel;
  onEdit: () => void;
}

/** One channel: where it goes, what it takes, how the last alert went; and a test. */
export function ChannelRow({ channel, onEdit }: Props) {
  const test = useMutation({ mutationFn: () => testChannel(channel.id) });
  const Icon = channel.kind === "email" ? IconMail : IconWebhook;
  return (
    <li className={classes.row} aria-label={channel.name}>
      <div className={classes.line}>
        <Icon size={18} aria-label={CHANNEL_KINDS.find(({ value }) => value === channel.kind)?.label} />
        <span className={classes.name}>{channel.name}</span>
        <span className={classes.push}>
          <Allowed refusal={useRefusal("operator")} says="Sends a test to it now">
            {(may) => (
              <Button
                {...may}
                size="xs"
                variant="default"
                aria-label={`Test ${channel.name}`}
                loading={test.isPending}
                onClick={() => test.mutate()}
              >
                Test
              </Button>
            )}
          </Allowed>
          <Changes channel={channel} onEdit={onEdit} />
        </span>
      </div>
      <span className={classes.target}>
        {channel.kind === "email" ? channel.target.split(",").join(", ") : channel.target}
      </span>
      <span className={classes.quiet}>
        {kindsOf(channel)}, added by {channel.created_by} <Ago at={channel.created_at} />
      </span>
      <LastDelivery last={channel.last} />
      {test.error && (
        <p className={classes.problem} data-hue="red" role="alert">
          The test was not delivered. {test.error.message}
        </p>
      )}
      {test.isSuccess && (
        <p className={classes.problem} data-hue="green" role="status">
          The test was delivered.
        </p>
      )}
    </li>
  );
}

function LastDelivery({ last }: { last: AlertDelivery | null }) {
  if (!last) return <span className={classes.quiet}>No alert was sent to it yet.</span>;
  const { state, attempts, problem, at } = last;
  return (
    <>
      <div className={classes.line}>
        <span className={classes.quiet}>Last alert</span>
        <StateBadge state={state} says={`After ${plural(attempts, "attempt")}`} />
        <span className={classes.quiet}>
          {state === "pending" ? (
            <>
              {attempts > 0 && `${plural(attempts, "attempt")} so far, `}next try <Countdown to={at} />
            </>
          ) : (
            <>
              <Ago at={at} />
              {attempts > 1 && ` after ${plural(attempts, "attempt")}`}
            </>
          )}
        </span>
      </div>
      {problem && (
        <p className={classes.problem} data-hue={state === "failed" ? "red" : "amber"}>
          {problem}
        </p>
      )}
    </>
  );
}

function Changes({ channel, onEdit }: Props) {
  const { id, name, enabled } = channel;
  const client = useQueryClient();
  const refusal = useRefusal("admin");
  const again = () => client.invalidateQueries({ queryKey: keys.alertChannels() });
  const told = (title: string) => (error: Error) =>
    notifications.show({ color: "red", title, message: error.message });
  const change = useMutation({
    mutationFn: (on: boolean) => changeChannel(id, { enabled: on }),
    onSettled: again,
    onError: told(`${name} was not changed`),
  });
  const remove = useMutation({
    mutationFn: () => removeChannel(id),
    onSettled: again,
    onError: told(`${name} stays`),
  });
  const ask = () =>
    modals.openConfirmModal({
      title: `Remove ${name}?`,
      children: <Text>No alert goes there any more; what is on its way to it is not sent.</Text>,
      labels: { confirm: "Remove channel", cancel: "Keep it" },
      confirmProps: { color: "red" },
      groupProps: { mt: 24, gap: 8 },
      onConfirm: () => remove.mutate(),
    });
  const look = { variant: "subtle", color: "gray" } as const;
  return (
    <>
      <Allowed refusal={refusal} says={enabled ? "Switches it off: it gets no alerts" : "Switches it on"}>
        {(may) => (
          <Switch
            {...may}
            aria-label={`${name} is on`}
            checked={change.isPending ? change.variables : enabled}
            onChange={(event) => change.mutate(event.currentTarget.checked)}
          />
        )}
      </Allowed>
      <Allowed refusal={refusal}>
        {(may) => (
          <ActionIcon {...may} {...look} aria-label={`Edit ${name}`} onClick={onEdit}>
            <IconPencil size={16} />
          </ActionIcon>
        )}
      </Allowed>
      <Allowed refusal={refusal}>
        {(may) => (
          <ActionIcon
            {...may}
            {...look}
            aria-label={`Remove ${name}`}
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
