import { Table } from "@mantine/core";
import type { Node } from "@/api/types";
import { StateBadge } from "@/components/StateBadge";
import { count, exactTime, memory, amount, plural } from "@/format";
import { Ago } from "@/format/Ago";
import { NodeActions } from "./NodeActions";
import classes from "./Nodes.module.css";

const TYPES: Record<Node["capacity_type"], string> = { on_demand: "on demand", spot: "spot" };

function saysOf(node: Node): string | undefined {
  if (node.leave_by) return `Its cloud takes it away at ${exactTime(node.leave_by)}; work begins elsewhere`;
  return node.state === "draining" ? "Its agents finish their leases, then leave" : undefined;
}

/** One machine: how it is, what it has, what it costs, and what one can do about it. */
export function NodeRow({ node, refusal }: { node: Node; refusal: string | null }) {
  return (
    <Table.Tr>
      <Table.Td>
        <div className={classes.name}>{node.name}</div>
        <div className={classes.quiet}>{node.address}</div>
        {node.note && (
          <p className={classes.note} data-hue="amber">
            {node.note}
          </p>
        )}
      </Table.Td>
      <Table.Td>
        <StateBadge state={node.state} says={saysOf(node)} />
        <div className={classes.quiet}>
          <Ago at={node.changed_at} />
        </div>
      </Table.Td>
      <Table.Td className={classes.figure}>
        {plural(node.capacity.cpus, "CPU")}, {memory(node.capacity.memory)}
      </Table.Td>
      <Table.Td className={classes.figure}>
        {node.price === null ? "–" : `${node.price} per hour`}
        {!!node.idle_price && <div className={classes.quiet}>{amount(node.idle_price)} of it idle</div>}
      </Table.Td>
      <Table.Td>{TYPES[node.capacity_type]}</Table.Td>
      <Table.Td>{node.zone || "–"}</Table.Td>
      <Table.Td className={classes.figure}>{count(node.agents)}</Table.Td>
      <Table.Td>
        <NodeActions node={node} refusal={refusal} />
      </Table.Td>
    </Table.Tr>
  );
}
