import { SegmentedControl, Select } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { itemList } from "@/api/runs";
import type { Step } from "@/api/types";
import { ErrorNote } from "@/components/ErrorNote";
import { StateBadge } from "@/components/StateBadge";
import { count, duration } from "@/format";
import { itemsTold } from "../counts";
import { RowsSkeleton } from "../RowsSkeleton";
import { useRunView } from "../useRunView";
import { batchTold, useBatchSize } from "./batches";
import classes from "./Drawer.module.css";
import { Failures } from "./Failures";
import { ItemDetail } from "./ItemDetail";
import { VirtualRows } from "./VirtualRows";

const FILTERS = [
  { value: "", label: "All" },
  { value: "failed", label: "Failed" },
  { value: "running", label: "Running" },
  { value: "queued", label: "Queued" },
  { value: "completed", label: "Completed" },
  { value: "cancelled", label: "Cancelled" },
];

interface Props {
  id: string;
  /** The run's map steps. */
  maps: Step[];
}

/** The items of a map: a list that pages itself, and the chosen item beside it. */
export function Items({ id, maps }: Props) {
  const [view, look] = useRunView();
  const step = maps.find((map) => map.id === view.step) ?? maps[0];
  if (!step) return <p className={classes.note}>This workflow has no map step, so there are no items.</p>;
  const choose = (change: Parameters<typeof look>[0]) => look({ step: step.id, ...change });
  return (
    <div className={classes.split}>
      <div className={classes.column}>
        <div className={classes.bar}>
          {maps.length > 1 && (
            <Select
              aria-label="Map step"
              size="xs"
              w={160}
              data={maps.map((map) => map.id)}
              value={step.id}
              onChange={(next) => look({ step: next ?? undefined, item: undefined })}
            />
          )}
          <div className={classes.filters}>
            <SegmentedControl
              aria-label="State of items"
              size="xs"
              data={FILTERS}
              value={view.items ?? ""}
              onChange={(items) => choose({ items: items || undefined, item: undefined })}
            />
          </div>
          <span className={classes.quiet}>{itemsTold(step)}</span>
        </div>
        {view.items === "failed" && step.counts.failed > 0 && (
          <Failures id={id} step={step} onChoose={(item) => choose({ item })} />
        )}
        <ItemRows
          id={id}
          step={step}
          state={view.items ?? ""}
          chosen={view.item}
          onChoose={(item) => choose({ item })}
        />
      </div>
      {view.item !== undefined && (
        <ItemDetail
          id={id}
          step={step}
          state={view.items ?? ""}
          index={view.item}
          onClose={() => choose({ item: undefined })}
        />
      )}
    </div>
  );
}

interface RowsProps {
  id: string;
  step: Step;
  state: string;
  chosen: number | undefined;
  onChoose: (index: number) => void;
}

function ItemRows({ id, step, state, chosen, onChoose }: RowsProps) {
  const items = useInfiniteQuery(itemList(id, step.id, state));
  const batch = useBatchSize(id, step.id);
  if (items.error) return <ErrorNote error={items.error} onRetry={() => void items.refetch()} />;
  if (items.isPending) return <RowsSkeleton rows={4} />;
  const rows = items.data.pages.flatMap((page) => page.results);
  if (rows.length === 0 && state === "failed" && step.counts.failed > 0) return null;
  if (rows.length === 0) {
    return (
      <p className={classes.note}>
        {state
          ? `No item is ${state}.`
          : "No item has begun yet. They appear here as the map works through its list."}
      </p>
    );
  }
  return (
    <VirtualRows
      label="Items"
      rows={rows}
      rowHeight={36}
      keyOf={(item) => item.index}
      onEnd={items.hasNextPage && !items.isFetchingNextPage ? () => void items.fetchNextPage() : undefined}
    >
      {(item) => (
        <button
          type="button"
          className={classes.item}
          data-chosen={item.index === chosen || undefined}
          aria-pressed={item.index === chosen}
          onClick={() => onChoose(item.index)}
        >
          <span className={classes.index}>{count(item.index)}</span>
          <StateBadge state={item.state} variant="plain" />
          <span className={classes.value}>{item.error ? item.error.message : short(item.input)}</span>
          <span className={classes.quiet}>{item.attempts > 1 ? `${count(item.attempts)} attempts` : ""}</span>
          <span className={classes.took} title={batch ? batchTold(batch) : undefined}>
            {duration(item.duration_ms)}
            {batch && item.duration_ms !== null && " *"}
          </span>
        </button>
      )}
    </VirtualRows>
  );
}

function short(value: unknown): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
  return text.slice(0, 200);
}
