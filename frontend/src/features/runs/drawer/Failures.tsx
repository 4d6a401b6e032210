import { useQuery } from "@tanstack/react-query";
import { failureList } from "@/api/runs";
import type { FailureGroup, Step } from "@/api/types";
import { ErrorNote } from "@/components/ErrorNote";
import { count, plural } from "@/format";
import { RowsSkeleton } from "../RowsSkeleton";
import classes from "./Drawer.module.css";

interface Props {
  id: string;
  step: Step;
  onChoose: (index: number) => void;
}

/** The failed items by their cause, the most frequent first, each with a few to look at. */
export function Failures({ id, step, onChoose }: Props) {
  const failures = useQuery(failureList(id, step.id, step.counts.failed));
  if (failures.error) return <ErrorNote error={failures.error} onRetry={() => void failures.refetch()} />;
  if (failures.isPending) return <RowsSkeleton rows={2} />;
  if (failures.data.length === 0) return null;
  return (
    <section className={classes.causes} aria-label="Failures by cause">
      <h3 className={classes.causesHead}>
        {plural(step.counts.failed, "failed item")}, {plural(failures.data.length, "cause")}
      </h3>
      <ul>
        {failures.data.map((group) => (
          <Cause
            key={group.cause}
            group={group}
            share={group.count / step.counts.failed}
            onChoose={onChoose}
          />
        ))}
      </ul>
    </section>
  );
}

interface CauseProps {
  group: FailureGroup;
  /** Of all failed items, 0 to 1. */
  share: number;
  onChoose: (index: number) => void;
}

function Cause({ group, share, onChoose }: CauseProps) {
  const more = group.count - group.samples.length;
  return (
    <li className={classes.cause} data-hue="red">
      <span className={classes.causeCount}>{count(group.count)}</span>
      <div className={classes.causeWords}>
        <div className={classes.causeTitle}>{group.title || group.cause || "Unknown cause"}</div>
        <div className={classes.causeBar} aria-hidden>
          <span style={{ width: `${share * 100}%` }} />
        </div>
        <div className={classes.samples}>
          {group.samples.map(({ index, error }) => (
            <button
              key={index}
              type="button"
              title={error ? `${error.type}: ${error.message}` : undefined}
              onClick={() => onChoose(index)}
            >
              item {count(index)}
            </button>
          ))}
          {more > 0 && <span>and {count(more)} more</span>}
        </div>
      </div>
    </li>
  );
}
