import { TextInput } from "@mantine/core";
import { useState } from "react";
import { idsOf, STEP_ID } from "@/canvas/document";
import classes from "@/canvas/fields/fields.module.css";
import { Section, TextField, useFault } from "@/canvas/fields/simple";
import type { StepFieldsProps } from "@/canvas/nodes/kinds";
import { useDesigner, useDesignerStore } from "@/canvas/store";

/** What the step is called. */
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
    </Section>
  );
}

/**
 * An id changes everywhere at once, so it is taken over when one is done typing. One that cannot be taken stays
 * as it was typed, with the reason, here and among the problems.
 */
function IdField({ id, path }: { id: string; path: string }) {
  const store = useDesignerStore();
  const fault = useFault(`${path}.id`);
  const key = `${id}:id`;
  const [typed, setTyped] = useState(() => store.getState().unreadable[key]?.text ?? id);
  const taken = useDesigner((state) => typed !== id && idsOf(state.document).has(typed));
  const wrong = taken
    ? `Another step is called ${typed}.`
    : STEP_ID.test(typed)
      ? undefined
      : "A letter or _ first, then letters, digits, - and _; up to 63 characters.";
  const reset = (text: string) => {
    setTyped(text);
    store.getState().setUnreadable(key, null);
  };
  const rename = () => {
    const { setUnreadable, rename: renameTo } = store.getState();
    if (typed === id) return setUnreadable(key, null);
    if (wrong) {
      const message = `${typed || "Nothing"} cannot be the id: ${wrong} It is still called ${id}.`;
      return setUnreadable(key, { text: typed, fault: { path: `${path}.id`, message, step: id } });
    }
    setUnreadable(key, null);
    renameTo(id, typed);
  };
  return (
    <TextInput
      label="ID"
      data-path={`${path}.id`}
      className={classes.mono}
      description="Expressions and other steps speak of it by this; they follow when it changes."
      inputWrapperOrder={["label", "input", "description", "error"]}
      value={typed}
      error={wrong ? `${wrong} Escape brings ${id} back.` : fault}
      onChange={(event) => setTyped(event.currentTarget.value)}
      onBlur={rename}
      onKeyDown={(event) => {
        if (event.key === "Enter") rename();
        if (event.key === "Escape") reset(id);
      }}
    />
  );
}
