import { IconHourglass } from "@tabler/icons-react";
import type { Pool } from "@/api/types";
import { duration, plural } from "@/format";
import { useNow } from "@/format/useNow";
import classes from "./Pools.module.css";

/** Milliseconds that the first in the queue has waited before it is worth a line: queues come and go. */
const WORTH_TELLING = 3000;

/** That more is asked of the pool than it serves: since when, and what whoever asks now has to expect. */
export function SaturationNote({ pool }: { pool: Pool }) {
  const now = useNow(pool.waiting_since === null ? "off" : "slow");
  if (pool.waiting === 0 || pool.waiting_since === null) return null;
  const waited = now - Date.parse(pool.waiting_since);
  if (waited < WORTH_TELLING) return null;
  const { wait_estimate: estimate } = pool;
  const busy = pool.states.idle + pool.states.active;
  return (
    <div className={classes.note} data-hue="amber" role="status">
      <IconHourglass size={16} aria-hidden />
      <span className={classes.noteText}>
        {`${plural(pool.waiting, "step")} ${pool.waiting === 1 ? "waits" : "wait"} for ${plural(busy, "agent")}, the first for ${duration(waited)}.`}
        {estimate !== null && ` Who asks now waits about ${duration(estimate * 1000)}.`}
        {" The most important are served first; nothing that was accepted is lost."}
      </span>
    </div>
  );
}
