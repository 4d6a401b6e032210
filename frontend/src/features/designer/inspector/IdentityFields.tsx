import { MultiSelect, TextInput } from "@mantine/core";
import { useState } from "react";
import { needsOf, renameStep, STEP_ID } from "@/canvas/document";
import classes from "@/canvas/fields/fields.module.css";
import { Section, TextField, useFault } from "@/canvas/fields/simple";
import { refusal } from "@/canvas/graph";
import type { StepFieldsProps } from "@/canvas/nodes/kinds";
import { useDesigner, useDesignerStore } from "@/canvas/store";

/** What the step is called, and what it waits for. */
export function IdentityFields({ step, path, set }: StepFieldsProps) {
  return (
    <Section title="Step">
      <IdField id={step.id} path={path} />
      <TextField
        path={`${path}.name`}
        label="Display name"
        placeholder={step.id}
        value={step.name}
        onChange={(name) => set({ name })}
      />
      <NeedsField step={step} path={path} set={set} />
    </Section>
  );
}

/** An id changes everywhere at once, so it is taken over when one is done typing. */
function IdField({ id, path }: { id: string; path: string }) {
  const store = useDesignerStore();
  const fault = useFault(`${path}.id`);
  const [typed, setTyped] = useState(id);
  const taken = useDesigner(
    (state) => typed !== id && state.document.steps.some((step) => step.id === typed),
  );
  const wrong = taken
    ? `Another step is called ${typed}.`
    : STEP_ID.test(typed)
      ? undefined
      : "A letter or _ first, then letters, digits, - and _; up to 63 characters.";
  const rename = () => {
    if (typed === id) return;
    if (wrong) {
      setTyped(id);
      return;
    }
    store.getState().apply((document) => renameStep(document, id, typed));
    store.getState().select([typed]);
  };
  return (
    <TextInput
      label="ID"
      data-path={`${path}.id`}
      className={classes.mono}
      description="Expressions and other steps speak of it by this; they follow when it changes."
      inputWrapperOrder={["label", "input", "description", "error"]}
      value={typed}
      error={wrong ?? fault}
      onChange={(event) => setTyped(event.currentTarget.value)}
      onBlur={rename}
      onKeyDown={(event) => {
        if (event.key === "Enter") rename();
        if (event.key === "Escape") setTyped(id);
      }}
    />
  );
}

function NeedsField({ step, path, set }: StepFieldsProps) {
  const document = useDesigner((state) => state.document);
  const fault = useFault(`${path}.needs`);
  const needs = [...new Set(needsOf(step))];
  const possible = document.steps.map(({ id }) => id).filter((id) => refusal(document, id, step.id) === null);
  return (
    <MultiSelect
      label="Needs"
      data-path={`${path}.needs`}
      placeholder={needs.length === 0 ? "Starts with the run" : undefined}
      description="It starts when all of these have completed."
      inputWrapperOrder={["label", "input", "description", "error"]}
      data={[...needs, ...possible.filter((id) => !needs.includes(id))]}
      value={needs}
      error={fault}
      searchable
      nothingFoundMessage="No other step can come before this one."
      onChange={(chosen) => set({ needs: chosen.length > 0 ? chosen : undefined })}
    />
  );
}
