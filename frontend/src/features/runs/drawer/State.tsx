import { Table } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { stateList } from "@/api/runs";
import type { Run } from "@/api/types";
import { ErrorNote } from "@/components/ErrorNote";
import { JsonView } from "@/components/JsonView";
import { isFinal } from "@/components/states";
import { count } from "@/format";
import { Ago } from "@/format/Ago";
import { RowsSkeleton } from "../RowsSkeleton";
import { Countdown } from "../waiting/Countdown";
import classes from "./Drawer.module.css";

/** The run's state: the keys and values that its steps share, live. */
export function State({ run }: { run: Run }) {
  const state = useQuery(stateList(run.id, !isFinal(run.state)));
  if (state.error) return <ErrorNote error={state.error} onRetry={() => void state.refetch()} />;
  if (state.isPending) return <RowsSkeleton rows={3} />;
  if (state.data.length === 0) {
    return (
      <p className={classes.note}>
        No step has written anything. Steps share values by <code>ctx.state</code>: set, increment,
        append_to_list, add_to_set, compare_and_set.
      </p>
    );
  }
  const expires = state.data.some((value) => value.expires_at !== null);
  return (
    <section className={classes.rows} aria-label="State" tabIndex={0}>
      <Table verticalSpacing={6}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Key</Table.Th>
            <Table.Th w="60%">Value</Table.Th>
            <Table.Th className={classes.right}>Version</Table.Th>
            <Table.Th>Updated</Table.Th>
            {expires && <Table.Th>Expires</Table.Th>}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {state.data.map((value) => (
            <Table.Tr key={value.key}>
              <Table.Td className={classes.key}>{value.key}</Table.Td>
              <Table.Td>
                <Value name={value.key} value={value.value} />
              </Table.Td>
              <Table.Td className={classes.right}>{count(value.version)}</Table.Td>
              <Table.Td className={classes.quiet}>
                <Ago at={value.updated_at} />
              </Table.Td>
              {expires && (
                <Table.Td className={classes.quiet}>
                  {value.expires_at ? <Countdown to={value.expires_at} /> : "–"}
                </Table.Td>
              )}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </section>
  );
}

function Value({ name, value }: { name: string; value: unknown }) {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "null");
  if (text.length <= 80) return <code>{text}</code>;
  return <JsonView value={value} label={name} maxHeight={160} />;
}
