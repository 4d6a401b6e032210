import { Button, MultiSelect, Select, Table } from "@mantine/core";
import { IconPlayerPlay } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { runList } from "@/api/runs";
import { workflowList } from "@/api/workflows";
import { EmptyState } from "@/components/EmptyState";
import { ErrorNote } from "@/components/ErrorNote";
import { PageHeader } from "@/components/PageHeader";
import { ShowMore } from "@/components/ShowMore";
import { Page } from "@/shell/Page";
import { RowsSkeleton } from "./RowsSkeleton";
import { RunRow } from "./RunRow";
import classes from "./RunsPage.module.css";

const STATES = ["pending", "running", "waiting", "paused", "completed", "failed", "cancelled"];

interface Filters {
  workflow?: string;
  state?: string;
}

/** Every run of the team, the newest first. */
export default function RunsPage() {
  const filters = useSearch({ strict: false }) as Filters;
  const runs = useInfiniteQuery(runList({ workflow: filters.workflow, state: filters.state }));
  const rows = runs.data?.pages.flatMap((page) => page.results) ?? [];
  return (
    <Page>
      <PageHeader title="Runs" about="Every execution of a workflow, the newest first." />
      <RunFilters filters={filters} />
      {runs.error && <ErrorNote error={runs.error} onRetry={() => void runs.refetch()} />}
      {runs.isPending && <RowsSkeleton rows={8} />}
      {runs.data && rows.length === 0 && <NoRuns filtered={Boolean(filters.workflow || filters.state)} />}
      {rows.length > 0 && (
        <div className={classes.card}>
          <Table.ScrollContainer minWidth={720} type="native">
            <Table highlightOnHover className={classes.table}>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>Workflow</Table.Th>
                  <Table.Th>State</Table.Th>
                  <Table.Th className={classes.number}>Duration</Table.Th>
                  <Table.Th>Created</Table.Th>
                  <Table.Th>By</Table.Th>
                  <Table.Th>Run</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {rows.map((run) => (
                  <RunRow key={run.id} run={run} />
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        </div>
      )}
      <ShowMore list={runs} className={classes.more}>
        Show older runs
      </ShowMore>
    </Page>
  );
}

function RunFilters({ filters }: { filters: Filters }) {
  const navigate = useNavigate();
  const workflows = useInfiniteQuery(workflowList(""));
  const known = workflows.data?.pages.flatMap((page) => page.results.map((one) => one.name)) ?? [];
  const names = filters.workflow && !known.includes(filters.workflow) ? [filters.workflow, ...known] : known;
  const set = (change: Filters) => void navigate({ to: "/runs", search: { ...filters, ...change } });
  return (
    <div className={classes.filters}>
      <Select
        aria-label="Workflow"
        placeholder="Any workflow"
        data={names}
        value={filters.workflow ?? null}
        onChange={(workflow) => set({ workflow: workflow ?? undefined })}
        allowDeselect
        clearable
        searchable
        w={240}
      />
      <MultiSelect
        aria-label="State"
        placeholder={filters.state ? undefined : "Any state"}
        data={STATES}
        value={filters.state?.split(",") ?? []}
        onChange={(states) => set({ state: states.join(",") || undefined })}
        clearable
        miw={200}
      />
    </div>
  );
}

function NoRuns({ filtered }: { filtered: boolean }) {
  if (filtered) {
    return (
      <EmptyState
        icon={IconPlayerPlay}
        title="No run fits these filters"
        action={
          <Button component={Link} to="/runs" variant="default">
            Clear filters
          </Button>
        }
      >
        Choose another workflow or state, or look at every run.
      </EmptyState>
    );
  }
  return (
    <EmptyState
      icon={IconPlayerPlay}
      title="Nothing has run yet"
      action={
        <Button component={Link} to="/workflows">
          Choose a workflow to run
        </Button>
      }
    >
      A run is one execution of a workflow: its steps, their results and what went wrong, live and for later.
    </EmptyState>
  );
}
