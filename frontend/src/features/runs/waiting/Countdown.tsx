import { duration, exactTime } from "@/format";
import { useNow } from "@/format/useNow";

/** How long until a moment: "in 3 m 20 s"; the moment itself on hover. */
export function Countdown({ to, past = "now" }: { to: string; past?: string }) {
  const now = useNow("slow");
  const left = Date.parse(to) - now;
  return (
    <time dateTime={to} title={exactTime(to)}>
      {left > 0 ? `in ${duration(Math.ceil(left / 1000) * 1000)}` : past}
    </time>
  );
}
