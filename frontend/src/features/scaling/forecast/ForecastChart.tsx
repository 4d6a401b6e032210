import { type Line, TimeChart } from "@/components/TimeChart";
import type { Forecast } from "@/api/types";
import classes from "../Scaling.module.css";
import { load } from "./words";

const LINES: Line[] = [
  { name: "came", colour: "slate", look: "filled" },
  { name: "expected at most", colour: "violet", look: "step", dashed: true },
];

/** What was forecast in the last day, and the largest load that came in the time that it was made for. */
export function ForecastChart({ forecast: { series = [] } }: { forecast: Forecast }) {
  const told = series.filter(({ forecast }) => forecast !== null);
  const [first, last] = [told[0], told.at(-1)];
  if (!first || !last) return <span className={classes.quiet}>No forecast has met what came yet.</span>;
  const times = told.map(({ at }) => Date.parse(at) / 1000);
  const held = told.filter(({ came, forecast }) => came !== null && came <= Number(forecast)).length;
  return (
    <TimeChart
      lines={LINES}
      data={[times, told.map(({ came }) => came), told.map(({ forecast }) => forecast)]}
      range={() => [Math.min(...times), Math.max(...times) + 60]}
      height={160}
      format={load}
      label={
        `Forecasts and what came, in leases at once: of ${told.length} forecasts ${held} held; ` +
        `the last expected ${load(last.forecast)} at most, and ${load(last.came)} came.`
      }
    />
  );
}
