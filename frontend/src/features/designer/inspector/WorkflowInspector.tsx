import { Textarea } from "@mantine/core";
import { IconRoute } from "@tabler/icons-react";
import { type Defaults, updateWorkflow, type WorkflowDocument } from "@/canvas/document";
import { JsonField } from "@/canvas/fields/JsonField";
import {
  ChoiceField,
  DurationField,
  NumberField,
  Pair,
  Section,
  TextField,
  useFault,
} from "@/canvas/fields/simple";
import { ValueField } from "@/canvas/fields/ValueField";
import { without } from "@/canvas/json";
import { useDesigner, useDesignerStore } from "@/canvas/store";
import { suggestionsFor } from "@/canvas/suggestions";
import { plural } from "@/format";
import classes from "./Inspector.module.css";
import { RetryFields } from "./RetryFields";

const PARAMS_EXAMPLE = '{"type": "object", "properties": {"root": {"type": "string"}}}';

/** What belongs to the workflow as a whole; shown when no step is selected. */
export function WorkflowInspector() {
  const store = useDesignerStore();
  const document = useDesigner((state) => state.document);
  const fault = useFault("description");
  const defaults = document.defaults ?? {};
  const set = (fields: Partial<WorkflowDocument>) =>
    store.getState().apply((current) => updateWorkflow(current, fields), `:${Object.keys(fields).join()}`);
  const setDefaults = (fields: Defaults) => {
    const next = without({ ...defaults, ...fields });
    set({ defaults: Object.keys(next).length > 0 ? next : undefined });
  };
  return (
    <>
      <header className={classes.head} style={{ "--hue": "var(--af-accent-text)" }}>
        <span className={classes.icon}>
          <IconRoute size={18} stroke={1.8} aria-hidden />
        </span>
        <div className={classes.words}>
          <h2 className={classes.title}>Workflow</h2>
          <div className={classes.kind}>
            {plural(document.steps.length, "step")} · choose one to see its fields
          </div>
        </div>
      </header>
      <Section title="About">
        <Textarea
          label="Description"
          data-path="description"
          rows={3}
          resize="vertical"
          value={document.description ?? ""}
          error={fault}
          onChange={(event) => set({ description: event.currentTarget.value || undefined })}
        />
      </Section>
      <Section title="Params and output">
        <JsonField
          path="params"
          draftKey=":params"
          step={null}
          label="Params, as a JSON Schema"
          value={document.params}
          onChange={(params) => set({ params: params as Record<string, unknown> | undefined })}
          placeholder={PARAMS_EXAMPLE}
          about="Run asks for these in a form."
        />
        <ValueField
          path="output"
          draftKey=":output"
          step={null}
          label="Output"
          value={document.output}
          onChange={(output) => set({ output })}
          suggestions={suggestionsFor(document, null, "other")}
          about="What a run gives when it completes."
        />
      </Section>
      <Section title="Defaults of steps">
        <TextField
          mono
          path="defaults.pool"
          label="Default pool"
          placeholder="the shared pool of the image"
          value={defaults.pool}
          onChange={(pool) => setDefaults({ pool })}
        />
        <DurationField
          path="defaults.timeout"
          label="Time-out of one attempt"
          standard="5m"
          value={defaults.timeout}
          onChange={(timeout) => setDefaults({ timeout })}
        />
        <RetryFields
          path="defaults.retry"
          retry={defaults.retry}
          onChange={(retry) => setDefaults({ retry })}
        />
      </Section>
      <RunSection document={document} set={set} />
    </>
  );
}

const STRATEGIES: { value: "fail_fast" | "continue"; label: string }[] = [
  { value: "fail_fast", label: "Stop the rest" },
  { value: "continue", label: "Go on with what does not need it" },
];

interface RunSectionProps {
  document: WorkflowDocument;
  set: (fields: Partial<WorkflowDocument>) => void;
}

/** What holds for a run as a whole. */
function RunSection({ document, set }: RunSectionProps) {
  return (
    <Section title="Runs">
      <ChoiceField
        path="failure_strategy"
        label="After a step failed"
        options={STRATEGIES}
        standard="fail_fast"
        value={document.failure_strategy}
        onChange={(failure_strategy) => set({ failure_strategy })}
      />
      <Pair>
        <DurationField
          path="timeout"
          label="Time-out"
          placeholder="none"
          value={document.timeout}
          onChange={(timeout) => set({ timeout })}
          about="Of a whole run"
        />
        <NumberField
          path="priority"
          label="Priority"
          standard={0}
          min={-100}
          max={100}
          value={document.priority}
          onChange={(priority) => set({ priority })}
          about="Higher is served first"
        />
        <NumberField
          path="max_concurrent_runs"
          label="Runs at once"
          placeholder="no limit"
          min={1}
          value={document.max_concurrent_runs}
          onChange={(max_concurrent_runs) => set({ max_concurrent_runs })}
          about="More wait their turn"
        />
        <NumberField
          path="max_parallel"
          label="Calls at once"
          placeholder="no limit"
          min={1}
          value={document.max_parallel}
          onChange={(max_parallel) => set({ max_parallel })}
          about="In one run"
        />
      </Pair>
    </Section>
  );
}
