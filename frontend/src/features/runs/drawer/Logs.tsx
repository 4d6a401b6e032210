import { NumberInput, Select, Switch } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { logList } from "@/api/runs";
import type { LogLine, Run, Step } from "@/api/types";
import { ErrorNote } from "@/components/ErrorNote";
import { isFinal } from "@/components/states";
import { clock, count, exactTime, plural } from "@/format";
import { hasItems } from "../counts";
import { RowsSkeleton } from "../RowsSkeleton";
import classes from "./Drawer.module.css";
import { type Metric, metricOf, type MetricSummary, summarize } from "./metrics";
import { VirtualRows } from "./VirtualRows";

const STREAMS = [
  { value: "", label: "All streams" },
  { value: "stdout", label: "stdout" },
  { value: "stderr", label: "stderr" },
  { value: "log", label: "log" },
  { value: "metric", label: "Metrics" },
];

/** What the steps printed, logged and measured, as it comes. */
export function Logs({ run, steps }: { run: Run; steps: Step[] }) {
  const [step, setStep] = useState("");
  const [item, setItem] = useState<number | string>("");
  const [stream, setStream] = useState("");
  const live = !isFinal(run.state);
  const [follow, setFollow] = useState(live);
  const mapped = steps.some((one) => one.id === step && hasItems(one));
  const [asked] = useDebouncedValue(mapped && item !== "" ? Number(item) : undefined, 250);
  const logs = useInfiniteQuery(logList(run.id, step, asked, live));
  const lines = logs.data?.pages.flatMap((page) => page.results) ?? [];
  const rows = stream ? lines.filter((line) => line.stream === stream) : lines;
  const metrics = summarize(lines);
  return (
    <div className={classes.column}>
      <div className={classes.bar}>
        <Select
          aria-label="Step"
          size="xs"
          w={160}
          data={[{ value: "", label: "All steps" }, ...steps.map(({ id }) => ({ value: id, label: id }))]}
          value={step}
          onChange={(next) => setStep(next ?? "")}
        />
        {mapped && (
          <NumberInput
            aria-label="Item"
            placeholder="Any item"
            size="xs"
            w={104}
            min={0}
            allowDecimal={false}
            value={item}
            onChange={setItem}
          />
        )}
        <Select
          aria-label="Stream"
          size="xs"
          w={120}
          data={STREAMS}
          value={stream}
          onChange={(next) => setStream(next ?? "")}
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
      {metrics.length > 0 && <Metrics metrics={metrics} />}
      {logs.error && <ErrorNote error={logs.error} onRetry={() => void logs.refetch()} />}
      {logs.isPending && <RowsSkeleton rows={4} />}
      {logs.data && rows.length === 0 && (
        <p className={classes.note}>
          {lines.length > 0
            ? "None of the lines loaded so far is of this stream."
            : live
              ? "Nothing was printed yet. Lines appear here while the steps run."
              : "Nothing was printed. What a step's code prints or logs appears here."}
        </p>
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
          {(line) => <Line line={line} />}
        </VirtualRows>
      )}
    </div>
  );
}

function Line({ line }: { line: LogLine }) {
  const metric = metricOf(line);
  return (
    <div className={classes.log} data-stream={line.stream}>
      <time dateTime={line.at} title={exactTime(line.at)}>
        {clock(line.at)}
      </time>
      <span className={classes.source} title={line.step}>
        {line.step}
        {line.item === null ? "" : ` #${count(line.item)}`}
      </span>
      <span className={classes.text}>{metric ? <MetricText metric={metric} /> : line.text}</span>
    </div>
  );
}

function MetricText({ metric }: { metric: Metric }) {
  return (
    <span className={classes.metric}>
      {metric.name} <strong>{figure(metric.value)}</strong>
    </span>
  );
}

/** The figures that bodies measured, of the lines that are loaded. */
function Metrics({ metrics }: { metrics: MetricSummary[] }) {
  return (
    <ul className={classes.metrics} aria-label="Metrics">
      {metrics.map(({ step, name, last, mean, count: times }) => (
        <li
          key={`${step} ${name}`}
          title={`${step}: told ${plural(times, "time")}, ${figure(mean)} on average`}
        >
          <span>{name}</span> <strong>{figure(last)}</strong>
          {times > 1 && <span> ø {figure(mean)}</span>}
        </li>
      ))}
    </ul>
  );
}

function figure(value: number): string {
  return Number.isInteger(value) ? count(value) : String(Number(value.toPrecision(5)));
}
