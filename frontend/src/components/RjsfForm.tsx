import { Button, Text } from "@mantine/core";
import Form from "@rjsf/mantine";
import {
  type ArrayFieldTitleProps,
  type IconButtonProps,
  type RJSFSchema,
  type RJSFValidationError,
  type TitleFieldProps,
  titleId,
  type UiSchema,
} from "@rjsf/utils";
import { customizeValidator } from "@rjsf/validator-ajv8";
import Ajv2020 from "ajv/dist/2020";
import { type ReactNode, useMemo, useState } from "react";

export interface SchemaFormProps {
  /** Names the form, so that a button outside it can submit it. */
  id: string;
  schema: Record<string, unknown>;
  initial: Record<string, unknown>;
  onSubmit: (values: Record<string, unknown>) => void;
}

const validator = customizeValidator({ AjvClass: Ajv2020 });
const ui: UiSchema = { "ui:submitButtonOptions": { norender: true } };
const templates = {
  // Mantine's inputs show their own error; the theme would show it a second time under them.
  FieldErrorTemplate: () => null,
  // Legends, not headings: the form stands in a dialog that has one.
  TitleFieldTemplate: ({ id, title }: TitleFieldProps) => <Legend id={id}>{title}</Legend>,
  ArrayFieldTitleTemplate: ({ fieldPathId, title }: ArrayFieldTitleProps) => (
    <Legend id={titleId(fieldPathId)}>{title}</Legend>
  ),
  ButtonTemplates: { AddButton },
};

/** The form that a JSON Schema (draft 2020-12) describes; it checks on submit, and keeps what was typed. */
export default function RjsfForm({ id, schema, initial, onSubmit }: SchemaFormProps) {
  const [values, setValues] = useState(initial);
  const untitled = useMemo(() => withoutTitle(schema), [schema]);
  return (
    <Form
      id={id}
      schema={untitled}
      uiSchema={ui}
      validator={validator}
      templates={templates}
      formData={values}
      showErrorList={false}
      noHtml5Validate
      focusOnFirstError
      onError={shownAtTheFields}
      transformErrors={inPlainWords}
      onChange={(event) => setValues(event.formData as Record<string, unknown>)}
      onSubmit={(event) => onSubmit((event.formData ?? {}) as Record<string, unknown>)}
    />
  );
}

function Legend({ id, children }: { id: string; children: ReactNode }) {
  return (
    <Text component="span" id={id} size="sm" fw={500}>
      {children}
    </Text>
  );
}

function AddButton({ id, disabled, onClick }: IconButtonProps) {
  return (
    <Button id={id} variant="default" size="xs" disabled={disabled} onClick={onClick}>
      Add
    </Button>
  );
}

/** Without the schema's own title and description: the dialog around the form says both. */
function withoutTitle(schema: Record<string, unknown>): RJSFSchema {
  const hidden = new Set(["title", "description", "$schema"]);
  const rest = Object.entries(schema).filter(([name]) => !hidden.has(name));
  return { type: "object", ...Object.fromEntries(rest) };
}

/** Without a handler the form writes what its fields show to the console as well. */
function shownAtTheFields(): void {}

function inPlainWords(errors: RJSFValidationError[]): RJSFValidationError[] {
  return errors.map((error) => (error.name === "required" ? { ...error, message: "Fill this in." } : error));
}
