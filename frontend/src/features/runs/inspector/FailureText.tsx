import type { Failure } from "@/api/types";
import classes from "./Inspector.module.css";

/** Why something failed: the error's type and words, and the traceback when there is one. */
export function FailureText({ failure }: { failure: Failure }) {
  return (
    <section className={classes.failure} data-hue="red" aria-label="Error">
      <div className={classes.failureHead}>{failure.type}</div>
      <div className={classes.failureText}>{failure.message}</div>
      {failure.traceback && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
        <pre className={classes.traceback} tabIndex={0} aria-label="Traceback">
          {failure.traceback.trimEnd()}
        </pre>
      )}
    </section>
  );
}
