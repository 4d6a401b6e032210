import { Badge, Table } from "@mantine/core";
import { Link, useNavigate } from "@tanstack/react-router";
import type { RunSummary } from "@/api/types";
import { CopyId } from "@/components/CopyId";
import { StateBadge } from "@/components/StateBadge";
import { Ago, Elapsed } from "@/format/Ago";
import classes from "./RunsPage.module.css";

/** One run in a list: what ran, how it stands, how long it took. */
export function RunRow({ run }: { run: RunSummary }) {
  const navigate = useNavigate();
  return (
    <Table.Tr
      className={classes.row}
      onClick={(event) => {
        // Links and buttons in the row answer for themselves, and marking text is no click.
        if ((event.target as Element).closest("a, button") || window.getSelection()?.toString()) return;
        void navigate({ to: "/runs/$id", params: { id: run.id } });
      }}
    >
      <Table.Td>
        <Link to="/runs/$id" params={{ id: run.id }} className={classes.name}>
          {run.workflow}
        </Link>
        <span className={classes.version}>v{run.version}</span>
        {run.tags.map((tag) => (
          <Badge key={tag} variant="default" size="xs" ml={6} tt="none" fw={500}>
            {tag}
          </Badge>
        ))}
        {run.error && <div className={classes.reason}>{run.error.message}</div>}
      </Table.Td>
      <Table.Td>
        <StateBadge state={run.state} />
      </Table.Td>
      <Table.Td className={classes.number}>
        <Elapsed from={run.started_at} to={run.finished_at} />
      </Table.Td>
      <Table.Td className={classes.quiet}>
        <Ago at={run.created_at} />
      </Table.Td>
      <Table.Td className={classes.quiet}>{run.created_by}</Table.Td>
      <Table.Td>
        <CopyId id={run.id} />
      </Table.Td>
    </Table.Tr>
  );
}
