import { Button, TagsInput } from "@mantine/core";
import { useState } from "react";
import { SchemaForm } from "@/components/SchemaForm";
import classes from "../../fields/fields.module.css";
import { JsonField } from "../../fields/JsonField";
import { ChoiceField, DurationField, Pair, Section, TextAreaField, useFault } from "../../fields/simple";
import { isObject, sameJson } from "../../json";
import { useDesigner } from "../../store";
import type { StepFieldsProps } from "../kinds";
import { APPROVER, ROLES, STANDARD_APPROVERS } from "./approvers";

const ON_TIMEOUT: { value: "reject" | "approve"; label: string }[] = [
  { value: "reject", label: "Rejected" },
  { value: "approve", label: "Approved" },
];
const ON_REJECT: { value: "fail" | "continue"; label: string }[] = [
  { value: "fail", label: "The step fails" },
  { value: "continue", label: "Go on; the output tells" },
];

const FORM_EXAMPLE = {
  type: "object",
  properties: { note: { type: "string", title: "Note" } },
};

/** What is asked, of whom, and what silence means. */
export function ApprovalFields({ step, path, set }: StepFieldsProps) {
  return (
    <>
      <Section title="Question">
        <TextAreaField
          path={`${path}.prompt`}
          label="Prompt"
          placeholder="Publish the report?"
          value={step.prompt}
          onChange={(prompt) => set({ prompt })}
          about="Expressions such as ${steps.total.output} are filled in."
        />
        <ApproversField step={step} path={path} set={set} />
        <Pair>
          <DurationField
            path={`${path}.timeout`}
            label="Deadline"
            placeholder="none"
            value={step.timeout}
            onChange={(timeout) => set({ timeout })}
            about="24h, say"
          />
          <ChoiceField
            path={`${path}.on_timeout`}
            label="After it, it is"
            options={ON_TIMEOUT}
            standard="reject"
            value={step.on_timeout}
            onChange={(on_timeout) => set({ on_timeout })}
          />
        </Pair>
        <ChoiceField
          path={`${path}.on_reject`}
          label="When it is rejected"
          options={ON_REJECT}
          standard="fail"
          value={step.on_reject}
          onChange={(on_reject) => set({ on_reject })}
        />
      </Section>
      <FormSection step={step} path={path} set={set} />
    </>
  );
}

function ApproversField({ step, path, set }: StepFieldsProps) {
  const fault = useFault(`${path}.approvers`);
  const readOnly = useDesigner((state) => state.readOnly);
  const [refused, setRefused] = useState<string | null>(null);
  const value = step.approvers ?? STANDARD_APPROVERS;
  return (
    <TagsInput
      label="Who may decide"
      data-path={`${path}.approvers`}
      description="role:operator, or user:name. Any one of them is enough."
      inputWrapperOrder={["label", "input", "description", "error"]}
      data={ROLES}
      value={value}
      disabled={readOnly}
      error={refused ? `${refused} is neither role:… nor user:….` : fault}
      acceptValueOnBlur
      onChange={(given) => {
        const wrong = given.find((one) => !APPROVER.test(one));
        setRefused(wrong ?? null);
        const right = given.filter((one) => APPROVER.test(one));
        const standard = right.length === 0 || sameJson(right, STANDARD_APPROVERS);
        set({ approvers: standard ? undefined : right });
      }}
    />
  );
}

function FormSection({ step, path, set }: StepFieldsProps) {
  const readOnly = useDesigner((state) => state.readOnly);
  const [preview, setPreview] = useState(false);
  const drawable = isObject(step.form) && isObject(step.form.properties);
  return (
    <Section
      title="Form"
      aside={
        drawable ? (
          <Button size="compact-xs" variant="subtle" onClick={() => setPreview(!preview)}>
            {preview ? "Edit" : "Preview"}
          </Button>
        ) : step.form === undefined && !readOnly ? (
          <Button size="compact-xs" variant="subtle" onClick={() => set({ form: FORM_EXAMPLE })}>
            Add a form
          </Button>
        ) : null
      }
    >
      {preview && drawable && step.form ? (
        <div className={classes.card}>
          <SchemaForm id="approval-preview" schema={step.form} initial={{}} onSubmit={() => undefined} />
        </div>
      ) : (
        <JsonField
          path={`${path}.form`}
          draftKey={`${step.id}:form`}
          step={step.id}
          label="Fields, as a JSON Schema"
          value={step.form}
          accept={(value) =>
            value === undefined || isObject(value)
              ? { value }
              : { fault: "A form is a JSON Schema: an object with properties." }
          }
          onChange={(form) => set({ form: form as Record<string, unknown> | undefined })}
          placeholder='{"type": "object", "properties": {"note": {"type": "string"}}}'
          about="What was filled in is output.data."
        />
      )}
    </Section>
  );
}
