import { useInfiniteQuery } from "@tanstack/react-query";
import { eventList } from "@/api/runs";
import type { RunEvent, Step } from "@/api/types";
import { ErrorNote } from "@/components/ErrorNote";
import { StateIcon } from "@/components/StateBadge";
import { clock, count, exactTime, plural } from "@/format";
import { RowsSkeleton } from "../RowsSkeleton";
import classes from "./Drawer.module.css";
import { VirtualRows } from "./VirtualRows";

/** The run's log of events, in their order. */
export function Events({ id }: { id: string }) {
  const events = useInfiniteQuery(eventList(id));
  if (events.error) return <ErrorNote error={events.error} onRetry={() => void events.refetch()} />;
  if (events.isPending) return <RowsSkeleton rows={4} />;
  const rows = events.data.pages.flatMap((page) => page.results);
  return (
    <VirtualRows
      label="Events"
      rows={rows}
      rowHeight={28}
      keyOf={(event) => event.seq}
      onEnd={events.hasNextPage && !events.isFetchingNextPage ? () => void events.fetchNextPage() : undefined}
    >
      {(event) => (
        <div className={classes.event}>
          <span className={classes.index}>{count(event.seq)}</span>
          <time dateTime={event.at} title={exactTime(event.at)}>
            {clock(event.at)}
          </time>
          <span className={classes.kind}>
            <StateIcon state={stateOf(event)} still />
            {event.type}
          </span>
          <span className={classes.value}>{told(event)}</span>
        </div>
      )}
    </VirtualRows>
  );
}

function stateOf(event: RunEvent): string {
  const subject = (event.data.step ?? event.data.run) as { state?: string } | undefined;
  return subject?.state ?? "pending";
}

/** The event in a few words. */
function told({ data }: RunEvent): string {
  const step = data.step as Step | undefined;
  if (!step) return "";
  const items = data.items as unknown[] | undefined;
  if (items) {
    const { total, completed, failed } = step.counts;
    return `${step.id}: ${plural(items.length, "item")} changed, ${count(completed + failed)} of ${count(total)} ended`;
  }
  return step.error ? `${step.id}: ${step.error.type}: ${step.error.message}` : step.id;
}
