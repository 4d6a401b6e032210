import { Button } from "@mantine/core";
import classes from "../../fields/fields.module.css";
import { ChoiceField, NumberField, Pair, Section, TextField } from "../../fields/simple";
import { ValueField } from "../../fields/ValueField";
import type { ErrorStrategy, Step } from "../../document";
import { needsOf } from "../../document";
import { isExpression } from "../../expressions";
import { useDesigner } from "../../store";
import { suggestionsFor } from "../../suggestions";
import type { StepFieldsProps } from "../kinds";

const STRATEGIES: { value: ErrorStrategy; label: string }[] = [
  { value: "fail_fast", label: "Stop at the first failure" },
  { value: "continue", label: "Go on; failed items give null" },
  { value: "continue_on_partial", label: "Go on while enough succeed" },
];

/** What only a map has: its list, how many at once, and what a failed item means. */
export function MapFields({ step, path, set }: StepFieldsProps) {
  const document = useDesigner((state) => state.document);
  const strategy = step.error_strategy ?? "fail_fast";
  return (
    <Section title="The list">
      <ValueField
        path={`${path}.over`}
        draftKey={`${step.id}:over`}
        step={step.id}
        label="Over"
        value={step.over}
        onChange={(over) => set({ over })}
        suggestions={suggestionsFor(document, step, "over")}
        about="One call for each element of this list."
      />
      <OverSuggestion step={step} onTake={(over) => set({ over })} />
      <Pair>
        <TextField
          mono
          path={`${path}.as`}
          label="Name of an element"
          placeholder="item"
          value={step.as}
          onChange={(as) => set({ as })}
        />
        <NumberField
          path={`${path}.batch_size`}
          label="Batch size"
          placeholder="1"
          min={1}
          value={step.batch_size}
          onChange={(batch_size) => set({ batch_size })}
          about="Elements in one call"
        />
        <NumberField
          path={`${path}.max_parallel`}
          label="At most at once"
          placeholder="no limit"
          min={1}
          value={step.max_parallel}
          onChange={(max_parallel) => set({ max_parallel })}
        />
      </Pair>
      <ChoiceField
        path={`${path}.error_strategy`}
        label="When an item fails"
        options={STRATEGIES}
        value={strategy}
        onChange={(chosen) => set(strategyFields(chosen ?? "fail_fast", step))}
      />
      {(strategy === "continue_on_partial" || step.min_success_rate !== undefined) && (
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
    </Section>
  );
}

/** The share belongs to `continue_on_partial` alone, which does not work without it. */
function strategyFields(chosen: ErrorStrategy, step: Step): Partial<Step> {
  if (chosen !== "continue_on_partial") return { error_strategy: chosen, min_success_rate: undefined };
  return { error_strategy: chosen, min_success_rate: step.min_success_rate ?? 0.95 };
}

/** A map that comes after a step, and still has a list of its own, most often means that step's output. */
function OverSuggestion({ step, onTake }: { step: Step; onTake: (over: string) => void }) {
  const readOnly = useDesigner((state) => state.readOnly);
  const before = needsOf(step).at(-1);
  if (!before || isExpression(step.over) || readOnly) return null;
  return (
    <div className={classes.hint}>
      <span>
        Take the list that <code>{before}</code> gives?
      </span>
      <Button size="compact-xs" variant="filled" onClick={() => onTake(`\${steps.${before}.output}`)}>
        Map over its output
      </Button>
    </div>
  );
}
