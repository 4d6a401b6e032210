import type { ReactNode } from "react";
import classes from "./Figure.module.css";

interface Props {
  label: string;
  value: ReactNode;
  /** One line that explains the term, on hover. */
  says?: string;
  size?: "sm" | "lg";
  hue?: string;
}

/** A labelled figure; to be placed in a `<dl>`. */
export function Figure({ label, value, says, size = "sm", hue }: Props) {
  return (
    <div className={classes.figure} data-size={size} title={says}>
      <dt className={classes.label}>{label}</dt>
      <dd className={classes.value} data-hue={hue}>
        {value}
      </dd>
    </div>
  );
}

/** Figures side by side. */
export function Figures({ children }: { children: ReactNode }) {
  return <dl className={classes.figures}>{children}</dl>;
}
