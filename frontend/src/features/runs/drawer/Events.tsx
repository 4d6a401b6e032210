import { useInfiniteQuery } from "@tanstack/react-query";
import { eventList } from "@/api/runs";
import type { RunEvent, Step } from "@/api/types";
import { isObject } from "@/canvas/json";
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

/** The look of an event: the state that its step, else its run, has with it. */
function stateOf(event: RunEvent): string {
  const { step, run } = event.data as { step?: Step | string; run?: { state?: string } };
  if (isObject(step)) return (step as unknown as Step).state;
  if (event.type === "step.decided") return event.data.approved ? "completed" : "failed";
  if (event.type === "run.pause_requested") return "paused";
  return run?.state ?? "running";
}

/** The event in a few words. */
export function told({ type, data }: RunEvent): string {
  const by = typeof data.by === "string" ? ` by ${data.by}` : "";
  if (typeof data.step === "string") return `${data.step}${partTold(type, data)}${by}`;
  const step = data.step as Step | undefined;
  if (!step) return [nameOf(data), by.trim()].filter(Boolean).join(" ");
  const items = data.items as unknown[] | undefined;
  if (items) {
    const { total, completed, failed } = step.counts;
    return `${step.id}: ${plural(items.length, "item")} changed, ${count(completed + failed)} of ${count(total)} ended`;
  }
  if (type === "step.iterated") return `${step.id}: iteration ${count(step.counts.completed)} ended`;
  return step.error ? `${step.id}: ${step.error.type}: ${step.error.message}` : step.id;
}

/** What an event that only names its step tells of it. */
function partTold(type: string, data: Record<string, unknown>): string {
  if (type === "step.decided") return data.approved ? ": approved" : ": rejected";
  const part = data.progress ?? data.settings;
  return part === undefined ? "" : `: ${JSON.stringify(part)}`;
}

function nameOf(data: Record<string, unknown>): string {
  if (typeof data.name === "string") return data.name;
  return Array.isArray(data.steps) ? `again: ${data.steps.join(", ")}` : "";
}
