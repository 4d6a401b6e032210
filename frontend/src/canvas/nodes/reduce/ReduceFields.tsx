import { Section, SwitchField } from "../../fields/simple";
import type { StepFieldsProps } from "../kinds";

/** Whether it waits for the whole map, or starts with it. */
export function ReduceFields({ step, path, set }: StepFieldsProps) {
  return (
    <Section title="Results">
      <SwitchField
        path={`${path}.streaming`}
        label="Take results as they come"
        about="It starts together with the map that it needs; main gets an iterator instead of a list."
        value={step.streaming ?? false}
        onChange={(on) => set({ streaming: on || undefined })}
      />
    </Section>
  );
}
