import { Tooltip } from "@mantine/core";
import { IconInfoCircle } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { why } from "@/api/runs";
import classes from "./Waiting.module.css";

interface Props {
  run: string;
  step?: string;
  item?: number;
  /** The state: with it the answer changes. */
  state: string;
}

/** Why something is not running, in one sentence; the facts behind it on hover. */
export function WhyNote({ run, step, item, state }: Props) {
  const { data } = useQuery(why(run, step, item, state));
  if (!data) return null;
  const facts = Object.entries(data.facts).filter(([, value]) => value !== null && value !== undefined);
  return (
    <Tooltip
      position="bottom-start"
      multiline
      maw={360}
      disabled={facts.length === 0}
      events={{ hover: true, focus: true, touch: true }}
      label={<Facts facts={facts} />}
    >
      <p className={classes.why} tabIndex={facts.length > 0 ? 0 : undefined}>
        <IconInfoCircle size={16} aria-hidden />
        <span>{data.sentence}</span>
      </p>
    </Tooltip>
  );
}

function Facts({ facts }: { facts: [string, unknown][] }) {
  return (
    <span className={classes.facts}>
      {facts.map(([name, value]) => (
        <span key={name}>
          <span>{name.replaceAll("_", " ")}</span>
          <span>{shown(value)}</span>
        </span>
      ))}
    </span>
  );
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return value.map(shown).join("; ");
  if (typeof value === "object" && value !== null) {
    return Object.entries(value)
      .map(([name, part]) => `${name} ${shown(part)}`)
      .join(", ");
  }
  return String(value);
}

/** Whether there is something to explain: what runs, or ended as it should, needs no reason. */
export function needsReason(step: { state: string; type: string }): boolean {
  return (
    ["pending", "queued", "waiting", "skipped"].includes(step.state) ||
    (step.type === "workflow" && step.state === "running")
  );
}
