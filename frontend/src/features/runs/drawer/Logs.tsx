import { Select, Switch } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { logList } from "@/api/runs";
import type { Run, Step } from "@/api/types";
import { ErrorNote } from "@/components/ErrorNote";
import { isFinal } from "@/components/states";
import { clock, exactTime, plural } from "@/format";
import { RowsSkeleton } from "../RowsSkeleton";
import classes from "./Drawer.module.css";
import { VirtualRows } from "./VirtualRows";

/** What the steps printed and logged. */
export function Logs({ run, steps }: { run: Run; steps: Step[] }) {
  const [step, setStep] = useState("");
  const live = !isFinal(run.state);
  const [follow, setFollow] = useState(live);
  const logs = useInfiniteQuery(logList(run.id, step, live));
  const rows = logs.data?.pages.flatMap((page) => page.results) ?? [];
  return (
    <div className={classes.column}>
      <div className={classes.bar}>
        <Select
          aria-label="Step"
          size="xs"
          w={180}
          data={[{ value: "", label: "All steps" }, ...steps.map(({ id }) => ({ value: id, label: id }))]}
          value={step}
          onChange={(next) => setStep(next ?? "")}
        />
        {live && (
          <Switch
            size="xs"
            label="Follow"
            checked={follow}
            onChange={(event) => setFollow(event.currentTarget.checked)}
          />
        )}
        <span className={classes.quiet}>
          {rows.length > 0 && `${plural(rows.length, "line")}${logs.hasNextPage ? " so far" : ""}`}
        </span>
      </div>
      {logs.error && <ErrorNote error={logs.error} onRetry={() => void logs.refetch()} />}
      {logs.isPending && <RowsSkeleton rows={4} />}
      {logs.data && rows.length === 0 && (
        <p className={classes.note}>Nothing was printed. What a step's code prints or logs appears here.</p>
      )}
      {rows.length > 0 && (
        <VirtualRows
          label="Log lines"
          rows={rows}
          rowHeight={22}
          keyOf={(line) => line.id}
          follow={follow && live}
          onEnd={logs.hasNextPage && !logs.isFetchingNextPage ? () => void logs.fetchNextPage() : undefined}
        >
          {(line) => (
            <div className={classes.log} data-stream={line.stream}>
              <time dateTime={line.at} title={exactTime(line.at)}>
                {clock(line.at)}
              </time>
              <span className={classes.source}>
                {line.step}
                {line.item === null ? "" : ` #${line.item}`}
              </span>
              <span className={classes.text}>{line.text}</span>
            </div>
          )}
        </VirtualRows>
      )}
    </div>
  );
}
