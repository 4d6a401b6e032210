import { ago, duration, exactTime } from ".";
import { useNow } from "./useNow";

/** "2 min ago", kept fresh; the exact time and zone on hover. */
export function Ago({ at }: { at: string | null | undefined }) {
  const now = useNow(at ? "slow" : "off");
  if (!at) return <span>–</span>;
  return (
    <time dateTime={at} title={exactTime(at)}>
      {ago(at, now)}
    </time>
  );
}

/** How long something took, or takes so far: ticks until `to` is known. */
export function Elapsed({ from, to }: { from: string | null | undefined; to: string | null | undefined }) {
  const runs = Boolean(from) && !to;
  const now = useNow(runs ? "fast" : "off");
  if (!from) return <span>–</span>;
  const ms = (to ? Date.parse(to) : now) - Date.parse(from);
  return <span title={exactTime(from)}>{duration(Math.max(0, ms))}</span>;
}
