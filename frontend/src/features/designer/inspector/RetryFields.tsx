import { TagsInput } from "@mantine/core";
import type { Retry } from "@/canvas/document";
import { ChoiceField, DurationField, NumberField, Pair, SwitchField, useFault } from "@/canvas/fields/simple";
import { without } from "@/canvas/json";

interface Props {
  /** Where retry stands: `steps[1].retry`, or `defaults.retry`. */
  path: string;
  retry: Retry | undefined;
  /** `undefined` when no field of it is left. */
  onChange: (retry: Retry | undefined) => void;
}

const BACKOFFS: { value: NonNullable<Retry["backoff"]>; label: string }[] = [
  { value: "exponential", label: "Doubles each time" },
  { value: "linear", label: "Grows evenly" },
  { value: "constant", label: "Always the same" },
];

/** What agents tell of failures; any other type of error may be named too. */
const KNOWN_ERRORS = ["TimeoutError", "ConnectionError", "OSError", "ValueError", "RuntimeError", "timeout"];

/** Whether, when and how often a failed attempt is followed by another. */
export function RetryFields({ path, retry = {}, onChange }: Props) {
  const change = (fields: Retry) => {
    const next = without({ ...retry, ...fields });
    onChange(Object.keys(next).length > 0 ? next : undefined);
  };
  const more = (retry.max_attempts ?? 1) > 1 || Object.keys(retry).some((field) => field !== "max_attempts");
  return (
    <>
      <NumberField
        path={`${path}.max_attempts`}
        label="Attempts"
        standard={1}
        min={1}
        max={100}
        value={retry.max_attempts}
        onChange={(max_attempts) => change({ max_attempts })}
        about="The first one counts."
      />
      {more && (
        <>
          <RetryOn path={path} retry={retry} onChange={change} />
          <ChoiceField
            path={`${path}.backoff`}
            label="Wait between attempts"
            options={BACKOFFS}
            standard="exponential"
            value={retry.backoff}
            onChange={(backoff) => change({ backoff })}
          />
          <Pair>
            <DurationField
              path={`${path}.delay`}
              label="First wait"
              standard="1s"
              value={retry.delay}
              onChange={(delay) => change({ delay })}
            />
            <DurationField
              path={`${path}.max_delay`}
              label="Longest wait"
              standard="30s"
              value={retry.max_delay}
              onChange={(max_delay) => change({ max_delay })}
            />
          </Pair>
          <SwitchField
            path={`${path}.jitter`}
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

function RetryOn({
  path,
  retry,
  onChange,
}: {
  path: string;
  retry: Retry;
  onChange: (fields: Retry) => void;
}) {
  const fault = useFault(`${path}.retry_on`);
  return (
    <TagsInput
      label="Only after these errors"
      data-path={`${path}.retry_on`}
      placeholder={retry.retry_on?.length ? undefined : "any error"}
      description="Types of errors, such as TimeoutError."
      inputWrapperOrder={["label", "input", "description", "error"]}
      data={KNOWN_ERRORS}
      value={retry.retry_on ?? []}
      error={fault}
      acceptValueOnBlur
      onChange={(types) => onChange({ retry_on: types.length > 0 ? types : undefined })}
    />
  );
}
