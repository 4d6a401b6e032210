import type { Failure } from "@/api/types";
import classes from "./Inspector.module.css";

interface Props {
  /** What failed: "item 7". */
  of: string;
  failure: Failure;
}

/** Why something failed: the error's type and words, and the traceback when there is one. */
export function FailureText({ of, failure }: Props) {
  return (
    <section className={classes.failure} data-hue="red" aria-label={`Error of ${of}`}>
      <div className={classes.failureHead}>{failure.type}</div>
      <div className={classes.failureText}>{failure.message}</div>
      {failure.traceback && (
        <section className={classes.traceback} tabIndex={0} aria-label={`Traceback of ${of}`}>
          <pre>{failure.traceback.trimEnd()}</pre>
        </section>
      )}
    </section>
  );
}
