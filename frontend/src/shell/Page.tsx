import type { ReactNode } from "react";
import classes from "./Page.module.css";

interface Props {
  children: ReactNode;
  /** `full` fills the window, for canvases; else the page is a readable column. */
  layout?: "column" | "full";
}

/** The room of a page inside the shell. */
export function Page({ children, layout = "column" }: Props) {
  return (
    <div className={classes.page} data-layout={layout}>
      {children}
    </div>
  );
}
