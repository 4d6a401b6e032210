import { Table } from "@mantine/core";
import type { Machine, Node } from "@/api/types";
import { StateBadge } from "@/components/StateBadge";
import { Countdown } from "@/features/runs/waiting/Countdown";
import { amount, count } from "@/format";
import { Ago } from "@/format/Ago";
import classes from "./Groups.module.css";

const TYPES: Record<Machine["capacity_type"], string> = { on_demand: "on demand", spot: "spot" };

interface Props {
  machines: Machine[];
  nodes: Node[];
  currency: string;
}

/** The machines of a group that cost money, or are about to. */
export function MachineTable({ machines, nodes, currency }: Props) {
  return (
    <Table.ScrollContainer minWidth={720} type="native">
      <Table aria-label="Machines" horizontalSpacing={8}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Machine</Table.Th>
            <Table.Th>State</Table.Th>
            <Table.Th>Type</Table.Th>
            <Table.Th>Zone</Table.Th>
            <Table.Th className={classes.number}>An hour</Table.Th>
            <Table.Th className={classes.number}>So far</Table.Th>
            <Table.Th className={classes.number}>Agents</Table.Th>
            <Table.Th>Since</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {machines.map((machine) => (
            <MachineRow
              key={machine.id}
              machine={machine}
              node={nodes.find(({ name }) => name === machine.node)}
              currency={currency}
            />
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

interface RowProps {
  machine: Machine;
  node: Node | undefined;
  currency: string;
}

function MachineRow({ machine, node, currency }: RowProps) {
  const { ref, state, instance_type, capacity_type, zone, price, on_demand_price, cost } = machine;
  const { requested_at, leave_by } = machine;
  const money = (value: number) => `${amount(value)} ${currency}`;
  return (
    <Table.Tr>
      <Table.Td>
        <div className={classes.name}>{machine.node ?? (ref || "not rented yet")}</div>
        {ref && machine.node && <code className={classes.ref}>{ref}</code>}
        {leave_by && (
          <div className={classes.gone} data-hue="amber">
            its cloud takes it away <Countdown to={leave_by} />
          </div>
        )}
      </Table.Td>
      <Table.Td>
        <StateBadge state={state} />
      </Table.Td>
      <Table.Td>
        {TYPES[capacity_type]}
        {instance_type && <div className={classes.ref}>{instance_type}</div>}
      </Table.Td>
      <Table.Td>{zone || "–"}</Table.Td>
      <Table.Td className={classes.number}>
        {price === null ? "–" : money(price)}
        {on_demand_price !== null && on_demand_price !== price && (
          <div className={classes.quiet}>{amount(on_demand_price)} on demand</div>
        )}
      </Table.Td>
      <Table.Td className={classes.number}>{money(cost)}</Table.Td>
      <Table.Td className={classes.number}>{node ? count(node.agents) : "–"}</Table.Td>
      <Table.Td className={classes.quiet}>
        <Ago at={requested_at} />
      </Table.Td>
    </Table.Tr>
  );
}
