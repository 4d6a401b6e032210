import type { Counts } from "@/api/types";
import { count } from "@/format";
import classes from "./RunGraph.module.css";

/** How far a map is: done, failed and running of all its items. */
export function ItemsBar({ counts }: { counts: Counts }) {
  const { total, completed, failed, running } = counts;
  const share = (part: number) => (total > 0 ? `${(part / total) * 100}%` : "0%");
  const text = `${count(completed)} done, ${count(failed)} failed, ${count(running)} running of ${count(total)}`;
  return (
    <div
      className={classes.bar}
      role="progressbar"
      aria-label="Items"
      aria-valuemin={0}
      aria-valuemax={total}
      aria-valuenow={completed + failed}
      aria-valuetext={text}
      title={text}
    >
      <span data-hue="green" style={{ width: share(completed) }} />
      <span data-hue="red" style={{ width: share(failed) }} />
      <span data-hue="blue" style={{ width: share(running) }} />
    </div>
  );
}
