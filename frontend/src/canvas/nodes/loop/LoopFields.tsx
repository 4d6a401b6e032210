import { Button, UnstyledButton } from "@mantine/core";
import { IconArrowsMaximize } from "@tabler/icons-react";
import { innerSteps } from "../../document";
import { ConditionField } from "../../fields/ConditionField";
import classes from "../../fields/fields.module.css";
import { NumberField, Section } from "../../fields/simple";
import { ValueField } from "../../fields/ValueField";
import { useDesigner, useDesignerStore } from "../../store";
import { suggestionsFor } from "../../suggestions";
import { kindOf } from "..";
import type { StepFieldsProps } from "../kinds";

/** What is inside, when it stops, and what the first round starts from. */
export function LoopFields({ step, path, set }: StepFieldsProps) {
  const store = useDesignerStore();
  const document = useDesigner((state) => state.document);
  const open = useDesigner((state) => state.scope.includes(step.id));
  const inner = innerSteps(step);
  const enter = () => {
    const { scope } = store.getState();
    store.getState().enter([...scope, step.id]);
  };
  return (
    <Section
      title="Loop"
      aside={
        open ? null : (
          <Button
            size="compact-xs"
            variant="light"
            leftSection={<IconArrowsMaximize size={14} aria-hidden />}
            onClick={enter}
          >
            Open loop
          </Button>
        )
      }
    >
      <div data-path={`${path}.steps`}>
        <span className={classes.label}>Steps inside</span>
        <div className={classes.chips}>
          {inner.map(({ id, type }) => {
            const { icon: Icon, hue, word } = kindOf(type);
            return (
              <UnstyledButton
                key={id}
                className={classes.chip}
                style={{ "--hue": `var(--af-${hue})` }}
                title={`${word}: open it`}
                onClick={() => store.getState().reveal(id)}
              >
                <Icon size={14} aria-hidden /> {id}
              </UnstyledButton>
            );
          })}
          {inner.length === 0 && <span className={classes.about}>None yet: open the loop and add one.</span>}
        </div>
      </div>
      <ConditionField
        path={`${path}.until`}
        label="Until"
        required
        value={step.until}
        onChange={(until) => set({ until: until ?? "" })}
        suggestions={suggestionsFor(document, step, "until")}
        about="Looked at after each round; it may name the steps inside, index and item."
      />
      <NumberField
        path={`${path}.max_iterations`}
        label="Rounds at most"
        standard={100}
        min={1}
        max={10_000}
        value={step.max_iterations}
        onChange={(max_iterations) => set({ max_iterations })}
        about="Then the loop fails."
      />
      <ValueField
        path={`${path}.input`}
        draftKey={`${step.id}:input`}
        step={step.id}
        label="First item"
        value={step.input}
        onChange={(input) => set({ input })}
        suggestions={suggestionsFor(document, step, "other")}
        placeholder="null"
        about="What item is in the first round; afterwards it is what the last round gave."
      />
    </Section>
  );
}
