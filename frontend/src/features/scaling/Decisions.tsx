import { Button, Select, Table, Title } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { decisionList } from "@/api/scaling";
import type { Decision } from "@/api/types";
import { ErrorNote } from "@/components/ErrorNote";
import { ShowMore } from "@/components/ShowMore";
import { StateBadge } from "@/components/StateBadge";
import { RowsSkeleton } from "@/features/runs/RowsSkeleton";
import { count } from "@/format";
import { Ago } from "@/format/Ago";
import { fits, merged } from "@/realtime/scaling/reducer";
import classes from "./Scaling.module.css";
import { useScalingSearch } from "./useScalingSearch";
import { REASONS, reasonOf } from "./words";

const CHANGES = "scale_up,scale_down";
const ACTION_CHOICES = [
  { value: "changes", label: "Every change" },
  { value: "scale_up", label: "Only up" },
  { value: "scale_down", label: "Only down" },
  { value: "hold", label: "Only held" },
  { value: "all", label: "Changes and holds" },
];

interface Props {
  pool: string;
  live: Decision[];
}

/** Every decision about the pool, the newest first; by action and reason. */
export function Decisions({ pool, live }: Props) {
  const { search } = useScalingSearch();
  const action = actionsOf(search.action);
  const filters = { pool, action, reason: search.reason };
  const found = useInfiniteQuery(decisionList(filters));
  const pages = found.data?.pages.flatMap((page) => page.results) ?? [];
  const oldest = pages.at(-1)?.id ?? 0;
  const fresh = live.filter((one) => fits(one, filters) && (one.id >= oldest || !found.hasNextPage));
  const rows = merged(fresh, pages);
  return (
    <section className={classes.panel} aria-label="Decisions">
      <div className={classes.head}>
        <Title order={2}>Decisions</Title>
        <Filters />
      </div>
      {found.error && <ErrorNote error={found.error} onRetry={() => void found.refetch()} />}
      {found.isPending && <RowsSkeleton rows={5} />}
      {found.data && rows.length === 0 && <Nothing />}
      {rows.length > 0 && (
        <Table.ScrollContainer minWidth={640} type="native">
          <Table highlightOnHover aria-label="Decisions" horizontalSpacing={8}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Action</Table.Th>
                <Table.Th>Size</Table.Th>
                <Table.Th>Reason</Table.Th>
                <Table.Th w="60%">Why</Table.Th>
                <Table.Th>When</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {rows.map((decision) => (
                <DecisionRow key={decision.id} decision={decision} />
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
      <ShowMore list={found} w="fit-content">
        Show older decisions
      </ShowMore>
    </section>
  );
}

function actionsOf(chosen: string | undefined): string | undefined {
  if (chosen === undefined || chosen === "changes") return CHANGES;
  return chosen === "all" ? undefined : chosen;
}

function Filters() {
  const { search, set } = useScalingSearch();
  const reasons = Object.entries(REASONS).map(([value, { word }]) => ({ value, label: word }));
  return (
    <div className={classes.filters}>
      <Select
        aria-label="Action"
        data={ACTION_CHOICES}
        value={search.action ?? "changes"}
        onChange={(action) => set({ action: action === "changes" ? undefined : (action ?? undefined) })}
        w={184}
      />
      <Select
        aria-label="Reason"
        placeholder="Any reason"
        data={reasons}
        value={search.reason ?? null}
        onChange={(reason) => set({ reason: reason ?? undefined })}
        clearable
        allowDeselect
        w={184}
      />
    </div>
  );
}

function DecisionRow({ decision }: { decision: Decision }) {
  const { search, set } = useScalingSearch();
  const { id, action, current_size, target_size, reason, explanation, at, mode } = decision;
  const open = () => set({ decision: id });
  return (
    <Table.Tr className={classes.row} data-chosen={id === search.decision || undefined} onClick={open}>
      <Table.Td>
        <StateBadge state={action} />
      </Table.Td>
      <Table.Td className="tabular">
        {current_size === target_size ? count(target_size) : `${count(current_size)} → ${count(target_size)}`}
      </Table.Td>
      <Table.Td title={REASONS[reason].says}>{reasonOf(reason)}</Table.Td>
      <Table.Td>
        <button
          type="button"
          className={classes.sentence}
          onClick={(event) => {
            event.stopPropagation();
            open();
          }}
        >
          {explanation}.
        </button>
        {mode === "shadow" && <span className={classes.quiet}>in shadow: nothing was changed</span>}
      </Table.Td>
      <Table.Td className={classes.quiet} style={{ whiteSpace: "nowrap" }}>
        <Ago at={at} />
      </Table.Td>
    </Table.Tr>
  );
}

function Nothing() {
  const { search, set } = useScalingSearch();
  const filtered = search.action !== undefined || search.reason !== undefined;
  return (
    <div className={classes.head}>
      <span className={classes.quiet}>
        {filtered
          ? "No decision fits these filters. Decisions are kept for a month."
          : "The size has not changed yet. Each time that it does, the reason stands here."}
      </span>
      <Button
        size="xs"
        variant="default"
        onClick={() => set({ action: filtered ? undefined : "all", reason: undefined })}
      >
        {filtered ? "Clear filters" : "Show holds too"}
      </Button>
    </div>
  );
}
