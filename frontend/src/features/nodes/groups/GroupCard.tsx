import { ActionIcon, Text, Title } from "@mantine/core";
import { modals } from "@mantine/modals";
import { notifications } from "@mantine/notifications";
import { IconPencil, IconTrash } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { keys } from "@/api/keys";
import { deleteNodeGroup, nodeCosts } from "@/api/nodes";
import type { Node, NodeGroup } from "@/api/types";
import { Figure, Figures } from "@/components/Figure";
import { Trouble } from "@/components/Trouble";
import { amount, count, plural } from "@/format";
import { GroupDecisions } from "./GroupDecisions";
import classes from "./Groups.module.css";
import { MachineTable } from "./MachineTable";
import { costsOf, mixOf } from "./money";
import { TypeTable } from "./TypeTable";

interface Props {
  group: NodeGroup;
  /** All nodes: they know which agents a machine carries. */
  nodes: Node[];
  onEdit: () => void;
}

/** One group: its limits and machines, what they cost and save, what was decided last. */
export function GroupCard({ group, nodes, onEdit }: Props) {
  const { name, provider, instance_types, zones, machines, offers } = group;
  const currency = useQuery(nodeCosts).data?.currency ?? "";
  const types = instance_types.map(({ type }) => type).join(", ");
  const made = [provider, types, zones.length > 0 ? zones.join(", ") : "any zone"]
    .filter(Boolean)
    .join(" · ");
  return (
    <section className={classes.card} aria-label={`Node group ${name}`}>
      <header className={classes.head}>
        <div>
          <Title order={3}>{name}</Title>
          <p className={classes.about}>{made}</p>
          <p className={classes.about}>{mixOf(group, currency)}</p>
        </div>
        <Actions group={group} onEdit={onEdit} />
      </header>
      {group.problem && <Trouble>{group.problem}</Trouble>}
      <GroupFigures group={group} currency={currency} />
      {offers.length > 0 && <TypeTable offers={offers} currency={currency} />}
      {machines.length > 0 && <MachineTable machines={machines} nodes={nodes} currency={currency} />}
      <GroupDecisions name={name} />
    </section>
  );
}

function GroupFigures({ group, currency }: { group: NodeGroup; currency: string }) {
  const { machines, min, max } = group;
  const { hour, unpriced, saved, soFar } = costsOf(machines);
  const money = (value: number) => `${amount(value)} ${currency}`;
  const unknown = unpriced > 0 ? ` The price of ${plural(unpriced, "machine")} is not known.` : "";
  return (
    <Figures>
      <Figure
        size="lg"
        label="machines"
        value={`${count(machines.length)} of ${count(max)}`}
        says="There are, and there may be at most"
      />
      <Figure size="lg" label="always there" value={count(min)} says="Machines, whatever the load" />
      <Figure size="lg" label="an hour" value={money(hour)} says={`Of all its machines.${unknown}`} />
      {saved !== null && (
        <Figure
          size="lg"
          label="saved, an hour"
          value={money(saved)}
          says={`On demand the same machines would cost ${money(hour + saved)}`}
        />
      )}
      <Figure
        size="lg"
        label="cost so far"
        value={money(soFar)}
        says="Of the machines that are there, since each was rented"
      />
    </Figures>
  );
}

function Actions({ group, onEdit }: Pick<Props, "group" | "onEdit">) {
  const client = useQueryClient();
  const remove = useMutation({
    mutationFn: () => deleteNodeGroup(group.name),
    onSuccess: () => void client.invalidateQueries({ queryKey: keys.nodeGroups() }),
    onError: (error) =>
      notifications.show({ color: "red", title: `${group.name} stays`, message: error.message }),
  });
  const ask = () =>
    modals.openConfirmModal({
      title: `Remove the node group ${group.name}?`,
      children: <Text>{lossOf(group)}</Text>,
      labels: { confirm: "Remove group", cancel: "Leave it" },
      confirmProps: { color: "red" },
      groupProps: { mt: 24, gap: 8 },
      onConfirm: () => remove.mutate(),
    });
  const look = { variant: "subtle", color: "gray" } as const;
  return (
    <div className={classes.actions}>
      <ActionIcon {...look} aria-label={`Edit the node group ${group.name}`} onClick={onEdit}>
        <IconPencil size={16} />
      </ActionIcon>
      <ActionIcon
        {...look}
        aria-label={`Remove the node group ${group.name}`}
        loading={remove.isPending}
        onClick={ask}
      >
        <IconTrash size={16} />
      </ActionIcon>
    </div>
  );
}

function lossOf({ machines }: NodeGroup): string {
  const none = "No machines are rented by it any more.";
  if (machines.length === 0) return none;
  const its =
    machines.length === 1 ? "Its one machine takes" : `Its ${plural(machines.length, "machine")} take`;
  return (
    `${none} ${its} no more agents, and ${machines.length === 1 ? "goes" : "go"} when the last one has left: ` +
    "no step is interrupted. The record of its decisions goes too."
  );
}
