import type { Run, Step } from "@/api/types";
import { StateIcon } from "@/components/StateBadge";
import { lookOf } from "@/components/states";
import { duration } from "@/format";
import { Elapsed } from "@/format/Ago";
import { useNow } from "@/format/useNow";
import { placeOf } from "@/realtime/run/iterations";
import { useRunView } from "../useRunView";
import classes from "./Timeline.module.css";

/** When each step ran, on one axis. */
export function Timeline({ run, steps }: { run: Run; steps: Step[] }) {
  const [view, look] = useRunView();
  const now = useNow(run.finished_at ? "off" : "fast");
  const start = Date.parse(run.started_at ?? run.created_at);
  const end = run.finished_at ? Date.parse(run.finished_at) : Math.max(now, start);
  const span = Math.max(1, end - start);
  return (
    <div className={classes.timeline}>
      <div className={classes.axis} aria-hidden>
        {ticksOf(span).map((tick, index) => (
          <span
            key={tick}
            className={classes.tick}
            data-odd={index % 2 === 1 || undefined}
            style={{ left: `${(tick / span) * 100}%` }}
          >
            {duration(tick)}
          </span>
        ))}
      </div>
      <ul className={classes.rows}>
        {steps.map((step) => (
          <li key={step.id}>
            <button
              type="button"
              className={classes.row}
              data-chosen={view.step === step.id || undefined}
              aria-pressed={view.step === step.id}
              onClick={() => look({ step: step.id, item: undefined })}
            >
              <span className={classes.name} data-inner={placeOf(step.id) !== null || undefined}>
                <StateIcon state={step.state} />
                <span>{nameIn(step.id)}</span>
              </span>
              <span className={classes.track}>
                <Bar step={step} start={start} end={end} span={span} />
              </span>
              <span className={classes.took}>
                {step.started_at ? (
                  <Elapsed from={step.started_at} to={step.finished_at} />
                ) : (
                  lookOf(step.state).word
                )}
              </span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** A step inside a loop stands under it, with the number of its iteration. */
function nameIn(id: string): string {
  const place = placeOf(id);
  return place ? `${place.own} #${place.iteration + 1}` : id;
}

interface BarProps {
  step: Step;
  start: number;
  end: number;
  span: number;
}

function Bar({ step, start, end, span }: BarProps) {
  if (!step.started_at) return null;
  const from = Date.parse(step.started_at);
  const to = step.finished_at ? Date.parse(step.finished_at) : Math.max(from, end);
  const left = Math.min(100, Math.max(0, ((from - start) / span) * 100));
  const width = Math.min(100 - left, ((to - from) / span) * 100);
  return (
    <span
      className={classes.bar}
      data-hue={lookOf(step.state).hue}
      data-open={step.finished_at ? undefined : true}
      style={{ left: `${left}%`, width: `max(3px, ${width}%)` }}
    />
  );
}

/** Up to six round marks from 0 to `span` milliseconds. */
export function ticksOf(span: number): number[] {
  const rough = span / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const seconds = [1, 2, 5, 10].map((step) => step * power);
  const clock = [
    15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000, 21_600_000, 86_400_000,
  ];
  const steps = rough > 10_000 ? clock : seconds;
  const step = steps.find((one) => one >= rough) ?? Math.ceil(rough / 86_400_000) * 86_400_000;
  return Array.from({ length: Math.floor(span / step) + 1 }, (_, index) => index * step);
}
