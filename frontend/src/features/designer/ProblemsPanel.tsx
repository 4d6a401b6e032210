import { UnstyledButton } from "@mantine/core";
import {
  IconAlertCircle,
  IconChevronDown,
  IconChevronUp,
  IconCircleCheck,
  IconPlugConnectedX,
} from "@tabler/icons-react";
import { useMemo, useState } from "react";
import type { Fault } from "@/api/types";
import { useDesigner } from "@/canvas/store";
import { plural } from "@/format";
import { placeOf } from "./faults";
import classes from "./ProblemsPanel.module.css";

/** What is wrong with the document, one line each; a click goes to the step and the field. */
export function ProblemsPanel({ onGo }: { onGo: (fault: Fault) => void }) {
  const problems = useDesigner((state) => state.problems);
  const unreadable = useDesigner((state) => state.unreadable);
  const checked = useDesigner((state) => state.checked);
  const [open, setOpen] = useState(true);
  const all = useMemo(
    () => [...Object.values(unreadable).map(({ fault }) => fault), ...problems],
    [problems, unreadable],
  );
  return (
    <section className={classes.panel} aria-label="Problems">
      <UnstyledButton
        className={classes.bar}
        onClick={() => setOpen(!open)}
        aria-expanded={open && all.length > 0}
        disabled={all.length === 0}
      >
        <Summary count={all.length} unreachable={checked === "unreachable"} />
        {all.length > 0 &&
          (open ? <IconChevronDown size={16} aria-hidden /> : <IconChevronUp size={16} aria-hidden />)}
      </UnstyledButton>
      {open && all.length > 0 && (
        <ul className={classes.list}>
          {all.map((fault) => (
            <li key={`${fault.path} ${fault.message}`}>
              <UnstyledButton className={classes.row} onClick={() => onGo(fault)}>
                <IconAlertCircle size={14} className={classes.icon} aria-hidden />
                <code className={classes.path}>{placeOf(fault)}</code>
                <span>{fault.message}</span>
              </UnstyledButton>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function Summary({ count, unreachable }: { count: number; unreachable: boolean }) {
  if (unreachable) {
    return (
      <span className={classes.summary}>
        <IconPlugConnectedX size={16} aria-hidden />
        Not checked: the server cannot be reached
      </span>
    );
  }
  return (
    <span className={classes.summary} data-faulty={count > 0}>
      {count > 0 ? <IconAlertCircle size={16} aria-hidden /> : <IconCircleCheck size={16} aria-hidden />}
      {count > 0 ? plural(count, "problem") : "No problems"}
    </span>
  );
}
