import Form from "@rjsf/mantine";
import type { RJSFSchema, UiSchema } from "@rjsf/utils";
import { customizeValidator } from "@rjsf/validator-ajv8";
import Ajv2020 from "ajv/dist/2020";
import { useMemo, useState } from "react";

export interface SchemaFormProps {
  /** Names the form, so that a button outside it can submit it. */
  id: string;
  schema: Record<string, unknown>;
  initial: Record<string, unknown>;
  onSubmit: (values: Record<string, unknown>) => void;
}

const validator = customizeValidator({ AjvClass: Ajv2020 });
const ui: UiSchema = { "ui:submitButtonOptions": { norender: true }, "ui:title": "", "ui:description": "" };

/** The form that a JSON Schema (draft 2020-12) describes; it checks on submit, and keeps what was typed. */
export default function RjsfForm({ id, schema, initial, onSubmit }: SchemaFormProps) {
  const [values, setValues] = useState(initial);
  const readable = useMemo(() => withTitles(schema), [schema]);
  return (
    <Form
      id={id}
      schema={readable}
      uiSchema={ui}
      validator={validator}
      formData={values}
      showErrorList={false}
      noHtml5Validate
      onChange={(event) => setValues(event.formData as Record<string, unknown>)}
      onSubmit={(event) => onSubmit((event.formData ?? {}) as Record<string, unknown>)}
    />
  );
}

/** Without the schema's own title and description: the dialog around the form says both. */
function withTitles(schema: Record<string, unknown>): RJSFSchema {
  const { title: _title, description: _description, $schema: _schema, ...rest } = schema;
  return { type: "object", ...rest } as RJSFSchema;
}
