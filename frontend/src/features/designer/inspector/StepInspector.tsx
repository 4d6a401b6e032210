import { ActionIcon, Tooltip } from "@mantine/core";
import { IconCopy, IconTrash } from "@tabler/icons-react";
import { actionOf, perform } from "@/canvas/actions";
import type { Step } from "@/canvas/document";
import { updateStep } from "@/canvas/document";
import { Section } from "@/canvas/fields/simple";
import { ValueField } from "@/canvas/fields/ValueField";
import { kindOf } from "@/canvas/nodes";
import { useDesigner, useDesignerStore } from "@/canvas/store";
import { suggestionsFor } from "@/canvas/suggestions";
import { useActions } from "../actionContext";
import { IdentityFields } from "./IdentityFields";
import classes from "./Inspector.module.css";
import { PoolFields } from "./PoolFields";
import { RetryFields } from "./RetryFields";
import { RunFields } from "./RunFields";

/** Every field of one step. */
export function StepInspector({ step }: { step: Step }) {
  const store = useDesignerStore();
  const document = useDesigner((state) => state.document);
  const kind = kindOf(step.type);
  const path = `steps[${document.steps.findIndex(({ id }) => id === step.id)}]`;
  const set = (fields: Partial<Step>) =>
    store
      .getState()
      .apply((current) => updateStep(current, step.id, fields), `${step.id}:${Object.keys(fields).join()}`);
  const fields = { step, path, set };
  return (
    <>
      <StepHead step={step} />
      <IdentityFields {...fields} />
      {kind.Fields && <kind.Fields {...fields} />}
      <RunFields {...fields} />
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
      <PoolFields {...fields} />
      <Section title="Time and retries">
        <RetryFields
          path={path}
          timeout={step.timeout}
          retry={step.retry}
          onTimeout={(timeout) => set({ timeout })}
          onRetry={(retry) => set({ retry })}
        />
      </Section>
    </>
  );
}

/** What the step gets when nothing is said here. */
function inputPlaceholder(step: Step): string {
  const need = step.needs?.[0];
  if (step.type === "map") return `by itself: {"${step.as ?? "item"}": "\${item}"}`;
  if (step.type === "reduce" && need) return `by itself: {"results": "\${steps.${need}.output}"}`;
  return "none";
}

function StepHead({ step }: { step: Step }) {
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
        <div className={classes.kind}>{kind.word}</div>
      </div>
      {!readOnly && (
        <>
          <Tooltip label="Duplicate">
            <ActionIcon
              variant="subtle"
              color="gray"
              aria-label="Duplicate"
              onClick={() => perform(actionOf("duplicate"), context)}
            >
              <IconCopy size={16} />
            </ActionIcon>
          </Tooltip>
          <Tooltip label="Delete">
            <ActionIcon
              variant="subtle"
              color="gray"
              aria-label="Delete"
              onClick={() => perform(actionOf("delete"), context)}
            >
              <IconTrash size={16} />
            </ActionIcon>
          </Tooltip>
        </>
      )}
    </header>
  );
}
