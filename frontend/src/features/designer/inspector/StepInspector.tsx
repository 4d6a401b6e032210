import { ActionIcon, Button, Tooltip } from "@mantine/core";
import { IconCopy, IconFlask, IconTrash } from "@tabler/icons-react";
import { actionOf, perform } from "@/canvas/actions";
import { pathOf, type Step, updateStep } from "@/canvas/document";
import { Section } from "@/canvas/fields/simple";
import { ValueField } from "@/canvas/fields/ValueField";
import { kindOf } from "@/canvas/nodes";
import type { StepFieldsProps } from "@/canvas/nodes/kinds";
import { useDesigner, useDesignerStore } from "@/canvas/store";
import { suggestionsFor } from "@/canvas/suggestions";
import { useActions } from "../actionContext";
import { ErrorFields } from "./ErrorFields";
import { FlowFields } from "./FlowFields";
import { IdentityFields } from "./IdentityFields";
import classes from "./Inspector.module.css";
import { PoolFields } from "./PoolFields";
import { RunFields } from "./RunFields";

/** Every field of one step. `around`: the loop that one is inside of, which the canvas does not show. */
export function StepInspector({ step, around = false }: { step: Step; around?: boolean }) {
  const store = useDesignerStore();
  const document = useDesigner((state) => state.document);
  const kind = kindOf(step.type);
  const path = pathOf(document, step.id) ?? "steps";
  const set = (fields: Partial<Step>) =>
    store
      .getState()
      .apply((current) => updateStep(current, step.id, fields), `${step.id}:${Object.keys(fields).join()}`);
  const fields = { step, path, set };
  return (
    <>
      <StepHead step={step} around={around} />
      <IdentityFields {...fields} />
      {kind.Fields && <kind.Fields {...fields} />}
      {kind.runs?.map((run) => (
        <RunFields key={run.field} {...fields} kind={run} />
      ))}
      {kind.calls && (
        <>
          <InputSection {...fields} />
          <PoolFields {...fields} />
        </>
      )}
      {!around && <FlowFields {...fields} />}
      <ErrorFields {...fields} />
    </>
  );
}

function InputSection({ step, path, set }: StepFieldsProps) {
  const document = useDesigner((state) => state.document);
  return (
    <Section title="Input">
      <ValueField
        path={`${path}.input`}
        draftKey={`${step.id}:input`}
        step={step.id}
        label="Arguments"
        value={step.input}
        onChange={(input) => set({ input })}
        suggestions={suggestionsFor(document, step, "other")}
        placeholder={inputPlaceholder(step)}
        about="Type ${ for what there is to name: outputs of steps before, params of the run."
      />
    </Section>
  );
}

/** What the step gets when nothing is said here. */
function inputPlaceholder(step: Step): string {
  const need = step.needs?.[0];
  if (step.type === "map" || step.type === "mapreduce")
    return `by itself: {"${step.as ?? "item"}": "\${item}"}`;
  if (step.type === "reduce" && need) return `by itself: {"results": "\${steps.${need}.output}"}`;
  return "none";
}

function StepHead({ step, around }: { step: Step; around: boolean }) {
  const context = useActions();
  const readOnly = useDesigner((state) => state.readOnly);
  const kind = kindOf(step.type);
  return (
    <header className={classes.head} style={{ "--hue": `var(--af-${kind.hue})` }}>
      <span className={classes.icon}>
        <kind.icon size={18} stroke={1.8} aria-hidden />
      </span>
      <div className={classes.words}>
        <h2 className={classes.title}>{step.name ?? step.id}</h2>
        <div className={classes.kind}>{around ? `${kind.word} · you are inside it` : kind.word}</div>
      </div>
      {kind.calls && !readOnly && context.tryStep && (
        <Button
          size="compact-sm"
          variant="light"
          leftSection={<IconFlask size={14} aria-hidden />}
          onClick={() => context.tryStep?.(step.id)}
        >
          Try step
        </Button>
      )}
      {!readOnly && !around && (
        <>
          {["duplicate", "delete"].map((id) => {
            const action = actionOf(id);
            const Icon = id === "delete" ? IconTrash : IconCopy;
            return (
              <Tooltip key={id} label={action.label}>
                <ActionIcon
                  variant="subtle"
                  color="gray"
                  aria-label={action.label}
                  onClick={() => perform(action, context)}
                >
                  <Icon size={16} />
                </ActionIcon>
              </Tooltip>
            );
          })}
        </>
      )}
    </header>
  );
}
