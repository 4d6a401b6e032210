import { Button, Group, Skeleton, Table, Text, Title } from "@mantine/core";
import { modals } from "@mantine/modals";
import { notifications } from "@mantine/notifications";
import { IconBolt, IconKey, IconPencil, IconTrash } from "@tabler/icons-react";
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { keys } from "@/api/keys";
import { useRefusal } from "@/api/me";
import {
  deleteTrigger,
  firingList,
  fireTrigger,
  rotateSecret,
  triggerDetail,
  upcomingList,
} from "@/api/triggers";
import type { Trigger } from "@/api/types";
import { Allowed } from "@/components/Allowed";
import { ErrorNote } from "@/components/ErrorNote";
import { JsonView } from "@/components/JsonView";
import { PageHeader } from "@/components/PageHeader";
import { ShowMore } from "@/components/ShowMore";
import { StateBadge, StateIcon } from "@/components/StateBadge";
import { Fact, Facts } from "@/features/runs/inspector/Facts";
import { RowsSkeleton } from "@/features/runs/RowsSkeleton";
import { Countdown } from "@/features/runs/waiting/Countdown";
import { shortId } from "@/format";
import { Ago } from "@/format/Ago";
import { Page } from "@/shell/Page";
import { openSecretModal } from "./SecretModal";
import { TriggerModal } from "./TriggerModal";
import { EnabledSwitch } from "./TriggerRow";
import classes from "./Triggers.module.css";
import { CATCH_UP, inZone, KINDS, labelIn, OUTCOME_STATE, OVERLAP, whenOf } from "./words";

/** One trigger: when it goes off, with what, and what came of it. */
export default function TriggerPage() {
  const { id } = useParams({ strict: false }) as { id: string };
  const { data: trigger, error, refetch } = useQuery(triggerDetail(id));
  if (!trigger) {
    return (
      <Page>{error ? <ErrorNote error={error} onRetry={() => void refetch()} /> : <Skeleton h={240} />}</Page>
    );
  }
  return (
    <Page>
      <PageHeader
        title={trigger.name}
        about={
          <>
            {KINDS[trigger.kind].word} of{" "}
            <Link to="/workflows/$name" params={{ name: trigger.workflow }} className={classes.link}>
              {trigger.workflow}
            </Link>
            . {whenOf(trigger)}.
          </>
        }
      >
        <Actions trigger={trigger} />
      </PageHeader>
      <div className={classes.columns}>
        <section className={classes.panel} aria-label="Settings">
          <Title order={2} mb={12}>
            Settings
          </Title>
          <SettingsFacts trigger={trigger} />
        </section>
        {trigger.kind === "schedule" && <Upcoming trigger={trigger} />}
      </div>
      <Firings trigger={trigger} />
    </Page>
  );
}

function Actions({ trigger }: { trigger: Trigger }) {
  const refusal = useRefusal("editor");
  const client = useQueryClient();
  const navigate = useNavigate();
  const [editing, setEditing] = useState(false);
  const fire = useMutation({
    mutationFn: () => fireTrigger(trigger.id),
    onSuccess: () => void client.invalidateQueries({ queryKey: keys.triggers() }),
    onError: (error) =>
      notifications.show({ color: "red", title: "It did not go off", message: error.message }),
  });
  const rotate = useMutation({
    mutationFn: () => rotateSecret(trigger.id),
    onSuccess: openSecretModal,
    onError: (error) =>
      notifications.show({ color: "red", title: "The secret stays", message: error.message }),
  });
  const remove = useMutation({
    mutationFn: () => deleteTrigger(trigger.id),
    onSuccess: () => {
      notifications.show({ message: `${trigger.name} was deleted.` });
      void navigate({ to: "/triggers" });
      void client.invalidateQueries({ queryKey: keys.triggers() });
    },
    onError: (error) =>
      notifications.show({ color: "red", title: `${trigger.name} was not deleted`, message: error.message }),
  });
  const ask = (title: string, text: string, confirm: string, act: () => void) =>
    modals.openConfirmModal({
      title,
      children: <Text>{text}</Text>,
      labels: { confirm, cancel: "Leave it" },
      confirmProps: { color: "red" },
      groupProps: { mt: 24, gap: 8 },
      onConfirm: act,
    });
  const askRemove = () =>
    ask(
      `Delete ${trigger.name}?`,
      "It starts nothing any more, and the list of its firings is lost. The runs that it started stay.",
      "Delete trigger",
      () => remove.mutate(),
    );
  const askRotate = () =>
    ask(
      "Make a new secret?",
      "The old one is void at once: requests signed with it are refused until the sender has the new one.",
      "New secret",
      () => rotate.mutate(),
    );
  return (
    <Group gap={8} align="center">
      <EnabledSwitch trigger={trigger} refusal={refusal} label={trigger.enabled ? "On" : "Off"} />
      <Allowed refusal={refusal} says="Starts a run with this trigger's params, whatever else goes on">
        {(may) => (
          <Button
            {...may}
            leftSection={<IconBolt size={16} aria-hidden />}
            loading={fire.isPending}
            onClick={() => fire.mutate()}
          >
            Fire now
          </Button>
        )}
      </Allowed>
      <Allowed refusal={refusal}>
        {(may) => (
          <Button
            {...may}
            variant="default"
            leftSection={<IconPencil size={16} aria-hidden />}
            onClick={() => setEditing(true)}
          >
            Edit
          </Button>
        )}
      </Allowed>
      {trigger.kind === "webhook" && (
        <Allowed refusal={refusal} says="Shows a new one once; the old one is void at once">
          {(may) => (
            <Button
              {...may}
              variant="default"
              leftSection={<IconKey size={16} aria-hidden />}
              loading={rotate.isPending}
              onClick={askRotate}
            >
              New secret
            </Button>
          )}
        </Allowed>
      )}
      <Allowed refusal={refusal}>
        {(may) => (
          <Button
            {...may}
            variant="default"
            color="red"
            leftSection={<IconTrash size={16} aria-hidden />}
            onClick={askRemove}
          >
            Delete
          </Button>
        )}
      </Allowed>
      {editing && <TriggerModal trigger={trigger} onClose={() => setEditing(false)} />}
    </Group>
  );
}

function SettingsFacts({ trigger }: { trigger: Trigger }) {
  return (
    <>
      <Facts>
        {trigger.kind === "schedule" && (
          <>
            <Fact name="Cron">
              <code>{trigger.config.cron}</code>
            </Fact>
            <Fact name="Time zone">{trigger.config.timezone ?? "UTC"}</Fact>
            <Fact name="Missed">{labelIn(CATCH_UP, trigger.config.catch_up)}</Fact>
            <Fact name="Overlap">{labelIn(OVERLAP, trigger.config.overlap)}</Fact>
          </>
        )}
        {trigger.hook && (
          <Fact name="Address">
            <code>
              {window.location.origin}
              {trigger.hook}
            </code>
          </Fact>
        )}
        {trigger.kind === "webhook" && trigger.config.signature_header && (
          <Fact name="Signature in">
            <code>{trigger.config.signature_header}</code>
          </Fact>
        )}
        <Fact name="Made by">
          {trigger.created_by}, <Ago at={trigger.created_at} />
        </Fact>
        <Fact name="Changed">
          <Ago at={trigger.updated_at} />
        </Fact>
      </Facts>
      <Values title="Params" value={trigger.params} none="Every run starts with the workflow's defaults." />
      {trigger.kind !== "schedule" && (
        <Values
          title="Mapping"
          value={trigger.config.map ?? {}}
          none={
            trigger.kind === "webhook" ? "The fields of the body are the params." : "Nothing is taken over."
          }
        />
      )}
    </>
  );
}

function Values({ title, value, none }: { title: string; value: Record<string, unknown>; none: string }) {
  return (
    <>
      <Title order={3} mt={16} mb={8}>
        {title}
      </Title>
      {Object.keys(value).length > 0 ? (
        <JsonView value={value} label={title.toLowerCase()} maxHeight={200} />
      ) : (
        <Text size="sm" c="dimmed">
          {none}
        </Text>
      )}
    </>
  );
}

function Upcoming({ trigger }: { trigger: Extract<Trigger, { kind: "schedule" }> }) {
  const zone = trigger.config.timezone ?? "UTC";
  const times = useQuery(upcomingList(trigger.id, 5, `${trigger.updated_at} ${trigger.due_at}`));
  return (
    <section className={classes.panel} aria-label="Next times">
      <Title order={2} mb={12}>
        Next times
      </Title>
      {!trigger.enabled && (
        <Text size="sm" c="dimmed" mb={8}>
          It is off: it would go off at these times if it were on.
        </Text>
      )}
      {times.error && <ErrorNote error={times.error} onRetry={() => void times.refetch()} />}
      {times.isPending && <Skeleton h={120} />}
      <ol className={classes.times}>
        {times.data?.map((at) => (
          <li key={at}>
            <span>{inZone(at, zone)}</span>
            <span className={classes.quiet}>
              <Countdown to={at} />
            </span>
          </li>
        ))}
      </ol>
    </section>
  );
}

function Firings({ trigger }: { trigger: Trigger }) {
  const firings = useInfiniteQuery(firingList(trigger.id));
  const rows = firings.data?.pages.flatMap((page) => page.results) ?? [];
  return (
    <section className={classes.firings} aria-label="Firings">
      <Title order={2} mb={12}>
        Firings
      </Title>
      {firings.error && <ErrorNote error={firings.error} onRetry={() => void firings.refetch()} />}
      {firings.isPending && <RowsSkeleton rows={3} />}
      {firings.data && rows.length === 0 && (
        <Text c="dimmed">It has not gone off yet. Try it with “Fire now”.</Text>
      )}
      {rows.length > 0 && (
        <div className={classes.card}>
          <Table.ScrollContainer minWidth={520} type="native">
            <Table>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>Outcome</Table.Th>
                  <Table.Th>When</Table.Th>
                  <Table.Th w="50%">What happened</Table.Th>
                  <Table.Th>Run</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {rows.map((firing) => (
                  <Table.Tr key={firing.id}>
                    <Table.Td>
                      <span className={classes.outcome}>
                        <StateIcon state={OUTCOME_STATE[firing.outcome] ?? "pending"} />
                        {firing.outcome}
                      </span>
                    </Table.Td>
                    <Table.Td className={classes.quiet}>
                      <Ago at={firing.at} />
                    </Table.Td>
                    <Table.Td>{firing.detail}</Table.Td>
                    <Table.Td>
                      {firing.run ? (
                        <Link to="/runs/$id" params={{ id: firing.run.id }} className={classes.run}>
                          <span className="mono">{shortId(firing.run.id)}</span>
                          <StateBadge state={firing.run.state} variant="plain" />
                        </Link>
                      ) : (
                        "–"
                      )}
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        </div>
      )}
      <ShowMore list={firings} mt={16}>
        Show older ones
      </ShowMore>
    </section>
  );
}
