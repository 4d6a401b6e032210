import { Button, Text, TextInput } from "@mantine/core";
import Form, { Templates } from "@rjsf/mantine";
import {
  type ArrayFieldTitleProps,
  type BaseInputTemplateProps,
  type IconButtonProps,
  labelValue,
  type RJSFSchema,
  type RJSFValidationError,
  type TitleFieldProps,
  titleId,
  type UiSchema,
} from "@rjsf/utils";
import { customizeValidator } from "@rjsf/validator-ajv8";
import Ajv2020 from "ajv/dist/2020";
import { type ComponentType, type ReactNode, useMemo, useState } from "react";

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
  BaseInputTemplate: BaseInput,
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

const Standard = Templates.BaseInputTemplate as ComponentType<BaseInputTemplateProps>;

function BaseInput(props: BaseInputTemplateProps) {
  const kinds = ([] as unknown[]).concat(props.schema.type ?? []);
  const isNumber = kinds.includes("number") || kinds.includes("integer");
  return isNumber ? <NumberText {...props} /> : <Standard {...props} />;
}

/**
 * A number as it was typed: the theme's own field moves what is out of bounds into them without a word. What is
 * no number stays text, and the check says so.
 */
function NumberText(props: BaseInputTemplateProps) {
  const { id, schema, value, label, required, options, rawErrors = [] } = props;
  const [typed, setTyped] = useState<string | null>(null);
  const given = value === undefined || value === null ? "" : String(value);
  const same = typed !== null && (typed === given || numberIn(typed) === value);
  return (
    <TextInput
      id={id}
      name={props.htmlName ?? id}
      inputMode={schema.type === "integer" ? "numeric" : "decimal"}
      autoComplete="off"
      label={labelValue(label || undefined, props.hideLabel, false)}
      description={props.hideLabel ? undefined : (options.description ?? schema.description)}
      placeholder={props.placeholder}
      required={required}
      disabled={props.disabled || props.readonly}
      value={same ? typed : given}
      error={rawErrors.length > 0 ? rawErrors.join(" ") : undefined}
      onChange={(event) => {
        const text = event.currentTarget.value;
        setTyped(text);
        props.onChange(text.trim() === "" ? options.emptyValue : numberIn(text));
      }}
      onBlur={(event) => props.onBlur(id, event.currentTarget.value)}
      onFocus={(event) => props.onFocus(id, event.currentTarget.value)}
    />
  );
}

/** The number that a text is; the text itself when it is none. */
function numberIn(text: string): number | string {
  const number = Number(text.trim());
  return text.trim() !== "" && Number.isFinite(number) ? number : text;
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
  return errors.map((error) => ({ ...error, message: inWords(error) ?? error.message }));
}

function inWords({ name, params }: RJSFValidationError): string | undefined {
  const limit = String((params as { limit?: number } | undefined)?.limit);
  const type = (params as { type?: string } | undefined)?.type;
  if (name === "required") return "Fill this in.";
  if (name === "minimum") return `At least ${limit}.`;
  if (name === "maximum") return `At most ${limit}.`;
  if (name === "exclusiveMinimum") return `More than ${limit}.`;
  if (name === "exclusiveMaximum") return `Less than ${limit}.`;
  if (name === "type" && type === "integer") return "Write a whole number.";
  if (name === "type" && type === "number") return "Write a number.";
  return undefined;
}
