import { ActionIcon, Title } from "@mantine/core";
import { IconChevronLeft, IconChevronRight } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { iterationSteps } from "@/api/runs";
import type { Step } from "@/api/types";
import { StateBadge } from "@/components/StateBadge";
import { isFinal } from "@/components/states";
import { count } from "@/format";
import { Elapsed } from "@/format/Ago";
import { iterationOf, placeOf } from "@/realtime/run/iterations";
import { useRunLive } from "@/realtime/run/useRunFeed";
import { typeOf } from "../stepTypes";
import { useRunView } from "../useRunView";
import classes from "./Inspector.module.css";

/** A loop's iterations, one at a time, with the steps of each; it follows the loop until one is chosen. */
export function Iterations({ run, loop }: { run: string; loop: Step }) {
  const newest = iterationOf(loop);
  const [chosen, choose] = useState<number | null>(null);
  const shown = Math.min(chosen ?? newest, newest);
  const known = isFinal(loop.state) ? loop.counts.completed : newest + 1;
  const total = Math.max(known, shown + 1);
  const step = (by: number) => choose(shown + by >= newest ? null : shown + by);
  if (loop.state === "pending" || loop.state === "skipped") return null;
  return (
    <section className={classes.items} aria-label="Iterations">
      <div className={classes.itemsHead}>
        <Title order={3}>
          Iteration {count(shown + 1)} of {count(total)}
          {!isFinal(loop.state) && " so far"}
        </Title>
        <span className={classes.stepper}>
          <ActionIcon
            variant="default"
            size={24}
            aria-label="The iteration before"
            disabled={shown === 0}
            onClick={() => step(-1)}
          >
            <IconChevronLeft size={14} />
          </ActionIcon>
          <ActionIcon
            variant="default"
            size={24}
            aria-label="The next iteration"
            disabled={shown >= newest}
            onClick={() => step(1)}
          >
            <IconChevronRight size={14} />
          </ActionIcon>
        </span>
      </div>
      <InnerSteps run={run} loop={loop} iteration={shown} live={shown === newest} />
    </section>
  );
}

interface InnerProps {
  run: string;
  loop: Step;
  iteration: number;
  live: boolean;
}

function InnerSteps({ run, loop, iteration, live }: InnerProps) {
  const [, look] = useRunView();
  const prefix = `${loop.id}.${iteration}`;
  const told = (useRunLive(run).data?.steps ?? []).filter((step) => {
    const place = placeOf(step.id);
    return place?.loop === loop.id && place.iteration === iteration;
  });
  const mark = live ? told.map((step) => `${step.id} ${step.state}`).join() : "";
  const asked = useQuery(iterationSteps(run, prefix, mark)).data ?? [];
  const news = new Map(told.map((step) => [step.id, step]));
  const rows = (asked.length > 0 ? asked : told)
    .filter((step) => placeOf(step.id)?.loop === loop.id)
    .map((step) => news.get(step.id) ?? step);
  return (
    <ul className={classes.inner} style={{ minHeight: `${Math.max(rows.length, 1) * 36}px` }}>
      {rows.map((step) => {
        const { icon: Icon } = typeOf(step.type);
        return (
          <li key={step.id}>
            <button
              type="button"
              className={classes.innerStep}
              onClick={() => look({ step: step.id, item: undefined })}
            >
              <Icon size={16} stroke={1.8} aria-hidden />
              <span className={classes.innerName}>{placeOf(step.id)?.own}</span>
              <StateBadge state={step.state} variant="plain" />
              <span className={classes.innerTook}>
                <Elapsed from={step.started_at} to={step.finished_at} />
              </span>
            </button>
          </li>
        );
      })}
    </ul>
  );
}
