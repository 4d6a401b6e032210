import { Table, VisuallyHidden } from "@mantine/core";
import { IconCpu } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { keys } from "@/api/keys";
import { useStaffRefusal } from "@/api/me";
import { getNodes } from "@/api/nodes";
import { EmptyState } from "@/components/EmptyState";
import { ErrorNote } from "@/components/ErrorNote";
import { PageHeader } from "@/components/PageHeader";
import { RowsSkeleton } from "@/features/runs/RowsSkeleton";
import { Page } from "@/shell/Page";
import { NodeGroups } from "./groups/NodeGroups";
import { NodeCostsLine } from "./NodeCostsLine";
import { NodeRow } from "./NodeRow";
import classes from "./Nodes.module.css";

/** The controller looks at the engine's nodes that often. */
const EVERY_MS = 2000;

/** The machines that carry the agents of all teams. */
export default function NodesPage() {
  const refusal = useStaffRefusal();
  const nodes = useQuery({
    queryKey: keys.nodes(),
    queryFn: ({ signal }) => getNodes(signal),
    refetchInterval: EVERY_MS,
  });
  const rows = nodes.data?.results ?? [];
  return (
    <Page>
      <PageHeader
        title="Nodes"
        about="The machines that agents run on, as the container engine sees them. All teams share them."
      />
      <NodeCostsLine />
      {nodes.error && <ErrorNote error={nodes.error} onRetry={() => void nodes.refetch()} />}
      {nodes.isPending && <RowsSkeleton rows={3} />}
      {nodes.data && rows.length === 0 && (
        <EmptyState icon={IconCpu} title="No nodes known yet">
          The controller lists the engine’s machines as soon as the engine answers. If this stays empty,
          “./aflow doctor” says what is in the way.
        </EmptyState>
      )}
      {rows.length > 0 && (
        <div className={classes.card}>
          <Table.ScrollContainer minWidth={860} type="native">
            <Table aria-label="Nodes" verticalSpacing="sm">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>Node</Table.Th>
                  <Table.Th>State</Table.Th>
                  <Table.Th>Capacity</Table.Th>
                  <Table.Th>Price</Table.Th>
                  <Table.Th>Type</Table.Th>
                  <Table.Th>Zone</Table.Th>
                  <Table.Th>Agents</Table.Th>
                  <Table.Th>
                    <VisuallyHidden>Actions</VisuallyHidden>
                  </Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {rows.map((node) => (
                  <NodeRow key={node.name} node={node} refusal={refusal} />
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        </div>
      )}
      <NodeGroups nodes={rows} />
    </Page>
  );
}
