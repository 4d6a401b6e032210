import { SegmentedControl, Skeleton, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { decisionHistory } from "@/api/scaling";
import type { Decision } from "@/api/types";
import { ErrorNote } from "@/components/ErrorNote";
import { TimeChart } from "@/components/TimeChart";
import { count, plural } from "@/format";
import { useNow } from "@/format/useNow";
import { samplesOf } from "@/realtime/pools/history";
import { merged } from "@/realtime/scaling/reducer";
import classes from "./Scaling.module.css";
import { marksOf, seriesOf } from "./series";
import { useScalingSearch } from "./useScalingSearch";

const RANGES = [
  { value: "15m", label: "15 min", minutes: 15 },
  { value: "1h", label: "1 h", minutes: 60 },
  { value: "6h", label: "6 h", minutes: 360 },
  { value: "24h", label: "24 h", minutes: 1440 },
];
const USUAL = "1h";
const HEIGHT = 260;

interface Props {
  pool: string;
  /** The pool's decisions that the feed told. */
  live: Decision[];
}

/** Size, target, load and decisions on one time axis. */
export function ScalingChart({ pool, live }: Props) {
  const { search, set } = useScalingSearch();
  const range = RANGES.find(({ value }) => value === search.range) ?? RANGES[1];
  const minutes = range?.minutes ?? 60;
  const { data, error, isPending, refetch } = useQuery(decisionHistory(pool, minutes));
  const now = useNow("slow") / 1000;
  const decisions = useMemo(() => merged(live, data ?? []).reverse(), [live, data]);
  const from = now - minutes * 60;
  const { lines, data: drawn } = seriesOf(decisions, samplesOf(pool), from, now);
  const seen = decisions.filter(({ at }) => Date.parse(at) / 1000 >= from);
  const marks = marksOf(seen, search.decision);
  return (
    <section className={classes.panel} aria-label="Size over time">
      <div className={classes.head}>
        <Title order={2}>Size over time</Title>
        <SegmentedControl
          size="xs"
          aria-label="Time shown"
          data={RANGES.map(({ value, label }) => ({ value, label }))}
          value={range?.value ?? USUAL}
          onChange={(value) => set({ range: value === USUAL ? undefined : value })}
        />
      </div>
      {error && <ErrorNote error={error} onRetry={() => void refetch()} />}
      {isPending && <Skeleton height={HEIGHT} />}
      {data && (drawn[0]?.length ?? 0) === 0 && (
        <p className={classes.chartEmpty}>Nothing was decided in this time.</p>
      )}
      {data && (drawn[0]?.length ?? 0) > 0 && (
        <TimeChart
          key={minutes}
          lines={lines}
          data={drawn}
          marks={marks}
          onPick={(decision) => set({ decision })}
          range={() => [Date.now() / 1000 - minutes * 60, Date.now() / 1000]}
          height={HEIGHT}
          label={sentence(seen, drawn)}
        />
      )}
    </section>
  );
}

function sentence(seen: Decision[], [, size = [], target = [], load = []]: (number | null)[][]): string {
  const changes = seen.filter(({ action }) => action !== "hold").length;
  return (
    `Size, target and load over time: now ${count(size.at(-1))} agents of ${count(target.at(-1))} wanted, ` +
    `${count(load.at(-1))} at work or waiting, after ${plural(changes, "change")}. The table below has each.`
  );
}
