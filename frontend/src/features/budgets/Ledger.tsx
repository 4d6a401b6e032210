import { SegmentedControl, Skeleton, Table, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type SpendGroup, spendOf } from "@/api/budgets";
import type { Spend, SpendLine } from "@/api/types";
import { ErrorNote } from "@/components/ErrorNote";
import { agentTime, money, percent } from "@/format";
import classes from "./Budgets.module.css";
import { useBudgetsSearch } from "./useBudgetsSearch";

const RANGES = [
  { value: "1d", label: "24 h", days: 1 },
  { value: "7d", label: "7 d", days: 7 },
  { value: "30d", label: "30 d", days: 30 },
];
const USUAL = { value: "7d", label: "7 d", days: 7 };
const GROUPS = [
  { value: "pool", label: "By pool" },
  { value: "workflow", label: "By workflow" },
];

/** What agents' time cost, by pool or workflow: at work, and idle. */
export function Ledger() {
  const { search, set } = useBudgetsSearch();
  const group: SpendGroup = search.group === "workflow" ? "workflow" : "pool";
  const range = RANGES.find(({ value }) => value === search.range) ?? USUAL;
  const { data, error, isPending, refetch } = useQuery(spendOf(group, range.value, range.days));
  return (
    <section aria-label="Ledger">
      <div className={`${classes.head} ${classes.level}`} style={{ marginBottom: 12 }}>
        <Title order={2}>What was spent</Title>
        <div className={`${classes.head} ${classes.level}`}>
          <SegmentedControl
            size="xs"
            aria-label="Grouped"
            data={GROUPS}
            value={group}
            onChange={(value) => set({ group: value === "pool" ? undefined : value })}
          />
          <SegmentedControl
            size="xs"
            aria-label="Time shown"
            data={RANGES.map(({ value, label }) => ({ value, label }))}
            value={range.value}
            onChange={(value) => set({ range: value === USUAL.value ? undefined : value })}
          />
        </div>
      </div>
      {error && <ErrorNote error={error} onRetry={() => void refetch()} />}
      {isPending && <Skeleton height={160} radius="md" />}
      {data?.lines.length === 0 && (
        <Text c="dimmed">
          Nothing was spent in this time. What an agent-hour costs is its pool’s price, or its node’s.
        </Text>
      )}
      {data && data.lines.length > 0 && <Lines spend={data} group={group} />}
    </section>
  );
}

function Lines({ spend, group }: { spend: Spend; group: SpendGroup }) {
  return (
    <div className={classes.table}>
      <Table.ScrollContainer minWidth={680} type="native">
        <Table aria-label="Ledger">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{group === "pool" ? "Pool" : "Workflow"}</Table.Th>
              <Table.Th className={classes.number}>Agents’ time</Table.Th>
              <Table.Th className={classes.number} title="Agents were at work">
                At work
              </Table.Th>
              <Table.Th className={classes.number} title="Agents were kept warm, and nobody used them">
                Idle
              </Table.Th>
              <Table.Th className={classes.number}>Cost</Table.Th>
              <Table.Th>At work, idle</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {spend.lines.map((line) => (
              <Table.Tr key={line.name}>
                <Table.Td>
                  <NameLink line={line} group={group} />
                </Table.Td>
                <Figures line={line} currency={spend.currency} />
              </Table.Tr>
            ))}
          </Table.Tbody>
          <Table.Tfoot>
            <Table.Tr className={classes.total}>
              <Table.Td>Together</Table.Td>
              <Figures line={spend.total} currency={spend.currency} />
            </Table.Tr>
          </Table.Tfoot>
        </Table>
      </Table.ScrollContainer>
    </div>
  );
}

function NameLink({ line: { name }, group }: { line: SpendLine; group: SpendGroup }) {
  if (group === "pool") {
    return (
      <Link to="/scaling/$pool" params={{ pool: name }} className={classes.link}>
        {name}
      </Link>
    );
  }
  return (
    <Link to="/workflows/$name" params={{ name }} className={classes.link}>
      {name}
    </Link>
  );
}

function Figures({ line, currency }: { line: SpendLine; currency: string }) {
  const share = line.agent_seconds > 0 ? line.busy_seconds / line.agent_seconds : 0;
  return (
    <>
      <Table.Td className={classes.number}>{agentTime(line.agent_seconds)}</Table.Td>
      <Table.Td className={classes.number}>{money(line.busy_cost, currency)}</Table.Td>
      <Table.Td className={classes.number}>{money(line.idle_cost, currency)}</Table.Td>
      <Table.Td className={classes.number}>{money(line.cost, currency)}</Table.Td>
      <Table.Td title={`${percent(share)} of the time at work`}>
        <div className={classes.share} role="img" aria-label={`${percent(share)} at work`}>
          <div className={classes.busy} style={{ width: `${share * 100}%` }} />
          <div className={classes.idle} style={{ width: `${(1 - share) * 100}%` }} />
        </div>
      </Table.Td>
    </>
  );
}
