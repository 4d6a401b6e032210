import { Progress as Bar } from "@mantine/core";
import type { Step } from "@/api/types";
import { Figure, Figures } from "@/components/Figure";
import { percent } from "@/format";
import { progressOf } from "../progress";
import classes from "./Inspector.module.css";

/** How far the step says it is. */
export function ProgressFacts({ step }: { step: Step }) {
  const progress = progressOf(step);
  if (!progress) return null;
  const { share, message, figures } = progress;
  return (
    <section className={classes.progress} aria-label="Progress">
      {share !== null && (
        <div className={classes.share}>
          <Bar value={share * 100} size="sm" aria-label={`Progress of ${step.id}`} flex={1} />
          <span>{percent(share)}</span>
        </div>
      )}
      {message && <p className={classes.message}>{message}</p>}
      {figures.length > 0 && (
        <Figures>
          {figures.map(([name, value]) => (
            <Figure key={name} label={name} value={value} />
          ))}
        </Figures>
      )}
    </section>
  );
}
