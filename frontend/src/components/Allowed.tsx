import { Tooltip, VisuallyHidden } from "@mantine/core";
import { type ReactNode, useId } from "react";
import classes from "./Allowed.module.css";

interface Props {
  /** Why the person may not, in a sentence; null when they may. */
  refusal: string | null;
  /** What it will do, on hover while it is allowed. */
  says?: string;
  children: (may: { disabled: boolean; "aria-describedby"?: string }) => ReactNode;
}

/** A control that tells on hover what it will do, or why the person may not: then it is disabled. */
export function Allowed({ refusal, says, children }: Props) {
  const id = useId();
  const label = refusal ?? says;
  return (
    <Tooltip label={label} disabled={!label} multiline maw={320}>
      <span className={classes.room}>
        {children({ disabled: refusal !== null, ...(label ? { "aria-describedby": id } : {}) })}
        {label && <VisuallyHidden id={id}>{label}</VisuallyHidden>}
      </span>
    </Tooltip>
  );
}
