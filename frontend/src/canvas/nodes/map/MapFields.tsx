import { Button } from "@mantine/core";
import classes from "../../fields/fields.module.css";
import { NumberField, Pair, Section, TextField } from "../../fields/simple";
import { ValueField } from "../../fields/ValueField";
import type { Step } from "../../document";
import { needsOf } from "../../document";
import { isExpression } from "../../expressions";
import { useDesigner } from "../../store";
import { suggestionsFor } from "../../suggestions";
import type { StepFieldsProps } from "../kinds";

/** What steps over a list have: the list, and how many of its elements at once. */
export function MapFields({ step, path, set }: StepFieldsProps) {
  const document = useDesigner((state) => state.document);
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
          onChange={(as) => set({ as: as === "item" ? undefined : as })}
        />
        <NumberField
          path={`${path}.batch_size`}
          label="Batch size"
          standard={1}
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
    </Section>
  );
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
