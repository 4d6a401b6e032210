import { Table } from "@mantine/core";
import type { Offer } from "@/api/types";
import { amount, count, memory, plural } from "@/format";
import classes from "./Groups.module.css";
import { type TypeFacts, typesOf } from "./market";

interface Props {
  offers: Offer[];
  currency: string;
}

/** Which machines a group has to choose from: their sizes, what they cost now, and what there is none of. */
export function TypeTable({ offers, currency }: Props) {
  return (
    <Table.ScrollContainer minWidth={640} type="native">
      <Table aria-label="Instance types" horizontalSpacing={8}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Instance type</Table.Th>
            <Table.Th>Size</Table.Th>
            <Table.Th className={classes.number}>Agents</Table.Th>
            <Table.Th className={classes.number}>On demand, an hour</Table.Th>
            <Table.Th className={classes.number}>Spot, an hour</Table.Th>
            <Table.Th className={classes.number}>Interruptions an hour</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {typesOf(offers).map((facts) => (
            <TypeRow key={facts.type} facts={facts} currency={currency} />
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function TypeRow({ facts, currency }: { facts: TypeFacts; currency: string }) {
  const { type, cpus, agents, onDemand, spot, risk } = facts;
  return (
    <Table.Tr>
      <Table.Td className={classes.name}>{type || "the one that there is"}</Table.Td>
      <Table.Td>
        {plural(cpus, "CPU")}, {memory(facts.memory)}
      </Table.Td>
      <Table.Td className={classes.number}>{count(agents)}</Table.Td>
      <PriceCell best={onDemand} agents={agents} currency={currency} />
      <PriceCell best={spot} agents={agents} currency={currency} />
      <Table.Td className={classes.number}>{risk === null ? "–" : amount(risk)}</Table.Td>
    </Table.Tr>
  );
}

interface PriceProps {
  best: TypeFacts["spot"];
  agents: number;
  currency: string;
}

function PriceCell({ best, agents, currency }: PriceProps) {
  if (best === null) {
    return (
      <Table.Td className={classes.number}>
        <span className={classes.gone} data-hue="amber">
          none to be had
        </span>
      </Table.Td>
    );
  }
  const { price, zone } = best;
  const each = price === null || agents === 0 ? "" : `${amount(price / agents)} an agent`;
  const about = [each, zone && `in ${zone}`].filter(Boolean).join(", ");
  return (
    <Table.Td className={classes.number}>
      {price === null ? "not known" : `${amount(price)} ${currency}`}
      {about && <div className={classes.quiet}>{about}</div>}
    </Table.Td>
  );
}
