import { Button, Select, Table } from "@mantine/core";
import { IconBolt, IconPlus } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useRefusal } from "@/api/me";
import { triggerList } from "@/api/triggers";
import { workflowList } from "@/api/workflows";
import { Allowed } from "@/components/Allowed";
import { EmptyState } from "@/components/EmptyState";
import { ErrorNote } from "@/components/ErrorNote";
import { PageHeader } from "@/components/PageHeader";
import { ShowMore } from "@/components/ShowMore";
import { RowsSkeleton } from "@/features/runs/RowsSkeleton";
import { Page } from "@/shell/Page";
import { TriggerModal } from "./TriggerModal";
import { TriggerRow } from "./TriggerRow";
import classes from "./Triggers.module.css";

/** What starts runs by itself: schedules, webhooks, and the ends of other runs. */
export default function TriggersPage() {
  const { workflow, new: making } = useSearch({ from: "/triggers" });
  const navigate = useNavigate();
  const refusal = useRefusal("editor");
  const found = useInfiniteQuery(triggerList(workflow ?? ""));
  const rows = found.data?.pages.flatMap((page) => page.results) ?? [];
  const open = () => void navigate({ to: "/triggers", search: { workflow, new: "yes" } });
  const close = () => void navigate({ to: "/triggers", search: { workflow }, replace: true });
  const make = (
    <Allowed refusal={refusal}>
      {(may) => (
        <Button {...may} leftSection={<IconPlus size={16} aria-hidden />} onClick={open}>
          New trigger
        </Button>
      )}
    </Allowed>
  );
  return (
    <Page>
      <PageHeader
        title="Triggers"
        about="What starts runs by itself: a time, a request, or another run's end."
      >
        {make}
      </PageHeader>
      {(rows.length > 0 || workflow) && <WorkflowFilter workflow={workflow} />}
      {found.error && <ErrorNote error={found.error} onRetry={() => void found.refetch()} />}
      {found.isPending && <RowsSkeleton rows={4} />}
      {found.data && rows.length === 0 && (
        <EmptyState
          icon={IconBolt}
          title={workflow ? `Nothing starts ${workflow} by itself` : "No triggers yet"}
        >
          A trigger starts a workflow on a schedule, when a program posts to its address, or when a run of
          another workflow ends. Make one with “New trigger”.
        </EmptyState>
      )}
      {rows.length > 0 && (
        <div className={classes.card}>
          <Table.ScrollContainer minWidth={680} type="native">
            <Table highlightOnHover aria-label="Triggers">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>Trigger</Table.Th>
                  <Table.Th>Starts</Table.Th>
                  <Table.Th>Last</Table.Th>
                  <Table.Th>Next</Table.Th>
                  <Table.Th>On</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {rows.map((trigger) => (
                  <TriggerRow key={trigger.id} trigger={trigger} refusal={refusal} />
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        </div>
      )}
      <ShowMore list={found} mt={16}>
        Show more
      </ShowMore>
      {making && <TriggerModal workflow={workflow} onClose={close} />}
    </Page>
  );
}

function WorkflowFilter({ workflow }: { workflow: string | undefined }) {
  const navigate = useNavigate();
  const workflows = useInfiniteQuery(workflowList(""));
  const known = workflows.data?.pages.flatMap((page) => page.results.map((one) => one.name)) ?? [];
  const names = workflow && !known.includes(workflow) ? [workflow, ...known] : known;
  return (
    <Select
      aria-label="Workflow"
      placeholder="Any workflow"
      data={names}
      value={workflow ?? null}
      onChange={(next) => void navigate({ to: "/triggers", search: { workflow: next ?? undefined } })}
      allowDeselect
      clearable
      searchable
      w={240}
      mb={16}
    />
  );
}
