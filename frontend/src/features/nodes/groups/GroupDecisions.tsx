import { Title } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { nodeGroupDecisions } from "@/api/nodes";
import { ErrorNote } from "@/components/ErrorNote";
import { ShowMore } from "@/components/ShowMore";
import { StateBadge } from "@/components/StateBadge";
import { RowsSkeleton } from "@/features/runs/RowsSkeleton";
import { plural } from "@/format";
import { Ago } from "@/format/Ago";
import classes from "./Groups.module.css";

/** What was done about a group's machines, the newest first, each with its reason. */
export function GroupDecisions({ name }: { name: string }) {
  const found = useInfiniteQuery(nodeGroupDecisions(name));
  const rows = found.data?.pages.flatMap((page) => page.results) ?? [];
  return (
    <div>
      <Title order={4} fz="sm" fw={500}>
        Last decisions
      </Title>
      {found.error && (
        <ErrorNote
          error={found.error}
          title="What was decided is not known"
          onRetry={() => void found.refetch()}
        />
      )}
      {found.isPending && <RowsSkeleton rows={2} />}
      {found.data && rows.length === 0 && (
        <span className={classes.quiet}>Nothing yet: the controller looks every few seconds.</span>
      )}
      <ol className={classes.decisions} aria-label={`Decisions about ${name}`}>
        {rows.map(({ id, action, explanation, at, machines, needed }) => (
          <li key={id}>
            <StateBadge
              state={action}
              says={`There were ${plural(machines, "machine")}; the agents needed ${needed}`}
            />
            <span>{explanation}</span>
            <span className={classes.quiet}>
              <Ago at={at} />
            </span>
          </li>
        ))}
      </ol>
      <ShowMore list={found} size="xs" mt={12}>
        Show older decisions
      </ShowMore>
    </div>
  );
}
