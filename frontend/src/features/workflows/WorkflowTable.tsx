import { Button, Center, Skeleton, Table } from "@mantine/core";
import { createColumnHelper, flexRender, getCoreRowModel, useReactTable } from "@tanstack/react-table";
import type { WorkflowSummary } from "@/api/types";
import { count } from "@/format";
import { LastRunCell, NameCell, RowActions, UpdatedCell } from "./WorkflowCells";
import classes from "./WorkflowTable.module.css";

const column = createColumnHelper<WorkflowSummary>();

const columns = [
  column.accessor("name", {
    header: "Name",
    cell: ({ row }) => <NameCell workflow={row.original} />,
    meta: { fills: true },
  }),
  column.accessor("steps", {
    header: "Steps",
    cell: ({ getValue }) => count(getValue()),
    meta: { align: "right", from: "medium" },
  }),
  column.accessor("version", {
    header: "Version",
    cell: ({ getValue }) => count(getValue()),
    meta: { align: "right", from: "medium" },
  }),
  column.display({
    id: "last",
    header: "Last run",
    cell: ({ row }) => <LastRunCell run={row.original.last_run} />,
    meta: { from: "small" },
  }),
  column.accessor("updated_at", {
    header: "Changed",
    cell: ({ getValue }) => <UpdatedCell at={getValue()} />,
    meta: { from: "large" },
  }),
  column.display({
    id: "actions",
    header: () => <span className={classes.unseen}>Actions</span>,
    cell: ({ row }) => <RowActions workflow={row.original} />,
    meta: { align: "right" },
  }),
];

interface Props {
  rows: WorkflowSummary[];
  loading: boolean;
  more?: () => void;
}

export function WorkflowTable({ rows, loading, more }: Props) {
  const table = useReactTable({
    data: rows,
    columns,
    getCoreRowModel: getCoreRowModel(),
    getRowId: (workflow) => workflow.name,
  });
  return (
    <div className={classes.box}>
      <Table highlightOnHover aria-label="Workflows" aria-busy={loading}>
        <Table.Thead>
          {table.getHeaderGroups().map((group) => (
            <Table.Tr key={group.id}>
              {group.headers.map((header) => (
                <Table.Th key={header.id} className={lookOf(header.column.columnDef.meta)}>
                  {flexRender(header.column.columnDef.header, header.getContext())}
                </Table.Th>
              ))}
            </Table.Tr>
          ))}
        </Table.Thead>
        <Table.Tbody>
          {loading && <LoadingRows />}
          {table.getRowModel().rows.map((row) => (
            <Table.Tr key={row.id}>
              {row.getVisibleCells().map((cell) => (
                <Table.Td key={cell.id} className={lookOf(cell.column.columnDef.meta)}>
                  {flexRender(cell.column.columnDef.cell, cell.getContext())}
                </Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {more && (
        <Center p={8}>
          <Button variant="subtle" color="gray" onClick={more}>
            Show more
          </Button>
        </Center>
      )}
    </div>
  );
}

/** `fills`: takes the room that is left; `from`: the width of the list from which the column is shown. */
interface Look {
  align?: "right";
  fills?: boolean;
  from?: "small" | "medium" | "large";
}

function lookOf(meta: unknown): string {
  const { align = "left", fills, from } = (meta ?? {}) as Look;
  return [classes[align], fills && classes.fills, from && classes[from]].filter(Boolean).join(" ");
}

function LoadingRows() {
  return [0, 1, 2, 3].map((row) => (
    <Table.Tr key={row}>
      <Table.Td colSpan={columns.length}>
        <Skeleton h={24} />
      </Table.Td>
    </Table.Tr>
  ));
}
