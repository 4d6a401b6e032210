import { IconAlertTriangle } from "@tabler/icons-react";
import type { ReactNode } from "react";
import classes from "./Trouble.module.css";

/** What is wrong with the thing that it stands in, for as long as it is. */
export function Trouble({ children }: { children: ReactNode }) {
  return (
    <p className={classes.trouble} data-hue="red" role="alert">
      <IconAlertTriangle size={16} aria-hidden />
      {children}
    </p>
  );
}
