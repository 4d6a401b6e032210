import type { ErrorStrategy, Step } from "@/canvas/document";
import { ChoiceField, DurationField, NumberField, Pair, Section } from "@/canvas/fields/simple";
import { kindOf } from "@/canvas/nodes";
import type { StepFieldsProps } from "@/canvas/nodes/kinds";
import { RetryFields } from "./RetryFields";

interface Strategy {
  value: ErrorStrategy;
  label: string;
}

const OF_ITEMS: Strategy[] = [
  { value: "fail_fast", label: "Stop at the first failure" },
  { value: "continue", label: "Go on; failed items give null" },
  { value: "continue_on_partial", label: "Go on while enough succeed" },
];
const OF_ONE: Strategy[] = [
  { value: "fail_fast", label: "The run fails" },
  { value: "continue", label: "Record it and go on; the output is null" },
];

/** How long it may take, how often it is tried, and what its failure means. */
export function ErrorFields({ step, path, set }: StepFieldsProps) {
  const kind = kindOf(step.type);
  if (!kind.calls && !kind.retry && !(kind.timeout && step.type === "workflow")) return null;
  return (
    <Section title="Errors">
      {kind.calls && <StrategyFields step={step} path={path} set={set} />}
      <Pair>
        <DurationField
          path={`${path}.timeout`}
          label="Time-out"
          placeholder={kind.calls ? "5m" : "none"}
          value={step.timeout}
          onChange={(timeout) => set({ timeout })}
          about={kind.calls ? "Of one attempt" : "Of the run that it starts"}
        />
        {kind.calls && (
          <DurationField
            path={`${path}.total_timeout`}
            label="In total"
            placeholder="none"
            value={step.total_timeout}
            onChange={(total_timeout) => set({ total_timeout })}
            about="With waits and attempts"
          />
        )}
      </Pair>
      <RetryFields path={`${path}.retry`} retry={step.retry} onChange={(retry) => set({ retry })} />
    </Section>
  );
}

function StrategyFields({ step, path, set }: StepFieldsProps) {
  const items = step.type === "map" || step.type === "mapreduce";
  const partial = step.error_strategy === "continue_on_partial" || step.min_success_rate !== undefined;
  return (
    <>
      <ChoiceField
        path={`${path}.error_strategy`}
        label={items ? "When an item fails" : "When it fails"}
        options={items ? OF_ITEMS : OF_ONE}
        standard="fail_fast"
        value={step.error_strategy}
        onChange={(chosen) => set(strategyFields(chosen, step))}
      />
      {partial && (
        <NumberField
          path={`${path}.min_success_rate`}
          label="Share that must succeed"
          placeholder="0.95"
          decimals
          min={0}
          max={1}
          step={0.05}
          value={step.min_success_rate}
          onChange={(min_success_rate) => set({ min_success_rate })}
          about="From 0 to 1; with fewer, the step fails."
        />
      )}
    </>
  );
}

/** The share belongs to `continue_on_partial` alone, which does not work without it. */
function strategyFields(chosen: ErrorStrategy | undefined, step: Step): Partial<Step> {
  if (chosen !== "continue_on_partial") return { error_strategy: chosen, min_success_rate: undefined };
  return { error_strategy: chosen, min_success_rate: step.min_success_rate ?? 0.95 };
}
