import { Select } from "@mantine/core";
import { needsOf, targetsOf } from "@/canvas/document";
import { ConditionField } from "@/canvas/fields/ConditionField";
import { Section, SwitchField, useFault } from "@/canvas/fields/simple";
import { StepsField } from "@/canvas/fields/StepsField";
import { refusal, undoneBy } from "@/canvas/graph";
import type { StepFieldsProps } from "@/canvas/nodes/kinds";
import { openGraph, useDesigner } from "@/canvas/store";
import { suggestionsFor } from "@/canvas/suggestions";

/** When the step runs: what it waits for, under which condition, and what takes it back. */
export function FlowFields({ step, path, set }: StepFieldsProps) {
  const document = useDesigner((state) => state.document);
  const graph = useDesigner(openGraph);
  const inLoop = useDesigner((state) => state.scope.length > 0);
  const undoes = undoneBy(graph).get(step.id);
  const possible = graph.steps.map(({ id }) => id).filter((id) => refusal(graph, id, step.id) === null);
  const choosers = graph.steps.filter((one) => targetsOf(one).includes(step.id)).map(({ id }) => id);
  return (
    <Section title="Flow">
      <StepsField
        path={`${path}.needs`}
        label="Needs"
        placeholder={
          undoes ? "Nothing: it undoes" : choosers.length > 0 ? "Chosen by a branch" : "Starts with the run"
        }
        nothing="No other step can come before this one."
        value={needsOf(step)}
        possible={possible.filter((id) => graph.steps.find((one) => one.id === id)?.type !== "branch")}
        onChange={(chosen) => set({ needs: chosen.length > 0 ? chosen : undefined })}
        about={
          undoes
            ? `It only undoes ${undoes}: it runs when the run fails after ${undoes} completed.`
            : choosers.length > 0
              ? `It starts when ${choosers.join(" or ")} chooses it${needsOf(step).length > 0 ? ", and all of these have completed" : ""}.`
              : "It starts when all of these have completed."
        }
      />
      <ConditionField
        path={`${path}.when`}
        label="When"
        value={step.when}
        onChange={(when) => set({ when })}
        suggestions={suggestionsFor(document, step, "over")}
        about="When this is false, the step is skipped."
      />
      <SwitchField
        path={`${path}.always_run`}
        label="Always run"
        about="After a failure or a cancellation too: for tidying up."
        value={step.always_run ?? false}
        onChange={(on) => set({ always_run: on || undefined })}
      />
      {!inLoop && undoes === undefined && <CompensateField step={step} path={path} set={set} />}
    </Section>
  );
}

/** Only a step that does nothing else can undo another. */
function CompensateField({ step, path, set }: StepFieldsProps) {
  const graph = useDesigner(openGraph);
  const fault = useFault(`${path}.compensate`);
  const needed = new Set(graph.steps.flatMap((one) => [...needsOf(one), ...targetsOf(one)]));
  const taken = undoneBy(graph);
  const free = graph.steps.filter(
    (one) =>
      one.id !== step.id &&
      needsOf(one).length === 0 &&
      !one.compensate &&
      !one.always_run &&
      !needed.has(one.id) &&
      (!taken.has(one.id) || taken.get(one.id) === step.id),
  );
  const ids = free.map(({ id }) => id);
  const now = step.compensate;
  return (
    <Select
      label="Undone by"
      data-path={`${path}.compensate`}
      placeholder={ids.length > 0 ? "nothing" : "no step is free to: it may have no edges"}
      description="When the run fails later, this step runs, the last first."
      inputWrapperOrder={["label", "input", "description", "error"]}
      data={now && !ids.includes(now) ? [now, ...ids] : ids}
      value={now ?? null}
      error={fault}
      clearable
      allowDeselect
      searchable
      nothingFoundMessage="A step that undoes has no edges of its own."
      onChange={(chosen) => set({ compensate: chosen ?? undefined })}
    />
  );
}
