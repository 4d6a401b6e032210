import type { Duration, Retry } from "@/canvas/document";
import { ChoiceField, DurationField, NumberField, Pair, SwitchField } from "@/canvas/fields/simple";
import { without } from "@/canvas/json";

interface Props {
  /** Where timeout and retry stand: `steps[1]`, or `defaults`. */
  path: string;
  timeout: Duration | undefined;
  retry: Retry | undefined;
  onTimeout: (timeout: Duration | undefined) => void;
  /** `undefined` when no field of it is left. */
  onRetry: (retry: Retry | undefined) => void;
}

const BACKOFFS: { value: NonNullable<Retry["backoff"]>; label: string }[] = [
  { value: "exponential", label: "Doubles each time" },
  { value: "linear", label: "Grows evenly" },
  { value: "constant", label: "Always the same" },
];

/** How long one attempt may take, and what happens when it fails. */
export function RetryFields({ path, timeout, retry = {}, onTimeout, onRetry }: Props) {
  const change = (fields: Retry) => {
    const next = without({ ...retry, ...fields });
    onRetry(Object.keys(next).length > 0 ? next : undefined);
  };
  return (
    <>
      <Pair>
        <DurationField
          path={`${path}.timeout`}
          label="Time-out"
          placeholder="5m"
          value={timeout}
          onChange={onTimeout}
          about="Of one attempt"
        />
        <NumberField
          path={`${path}.retry.max_attempts`}
          label="Attempts"
          placeholder="1"
          min={1}
          max={100}
          value={retry.max_attempts}
          onChange={(max_attempts) => change({ max_attempts })}
          about="The first one counts"
        />
      </Pair>
      {(retry.max_attempts ?? 1) > 1 && (
        <>
          <ChoiceField
            path={`${path}.retry.backoff`}
            label="Wait between attempts"
            options={BACKOFFS}
            value={retry.backoff ?? "exponential"}
            onChange={(backoff) => change({ backoff })}
          />
          <Pair>
            <DurationField
              path={`${path}.retry.delay`}
              label="First wait"
              placeholder="1s"
              value={retry.delay}
              onChange={(delay) => change({ delay })}
            />
            <DurationField
              path={`${path}.retry.max_delay`}
              label="Longest wait"
              placeholder="30s"
              value={retry.max_delay}
              onChange={(max_delay) => change({ max_delay })}
            />
          </Pair>
          <SwitchField
            path={`${path}.retry.jitter`}
            label="Jitter"
            about="Spreads waits a little, so that many items do not come back at once."
            value={retry.jitter ?? true}
            onChange={(on) => change({ jitter: on ? undefined : false })}
          />
        </>
      )}
    </>
  );
}
