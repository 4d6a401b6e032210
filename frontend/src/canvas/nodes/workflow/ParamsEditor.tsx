import { Autocomplete, SegmentedControl } from "@mantine/core";
import { useState } from "react";
import classes from "../../fields/fields.module.css";
import { useFault } from "../../fields/simple";
import { useTyped } from "../../fields/useTyped";
import { ValueField } from "../../fields/ValueField";
import { isObject, without } from "../../json";
import { useDesigner } from "../../store";
import { type Suggestion, suggestionsFor } from "../../suggestions";
import type { StepFieldsProps } from "../kinds";

interface Props extends StepFieldsProps {
  schema: Record<string, unknown> | undefined;
}

/** What the sub-workflow is given: a field for each of its params, or JSON. */
export function ParamsEditor({ step, path, set, schema }: Props) {
  const document = useDesigner((state) => state.document);
  const asFields = schema !== undefined && (step.params === undefined || isObject(step.params));
  const [wanted, setWanted] = useState<"fields" | "json">("fields");
  const suggestions = suggestionsFor(document, step, "other");
  if (!asFields || wanted === "json") {
    return (
      <>
        {asFields && <Switcher value={wanted} onChange={setWanted} />}
        <ValueField
          path={`${path}.params`}
          draftKey={`${step.id}:params`}
          step={step.id}
          label="Params of the run"
          value={step.params}
          onChange={(params) => set({ params })}
          suggestions={suggestions}
          placeholder="none"
        />
      </>
    );
  }
  const given = isObject(step.params) ? step.params : {};
  const properties = schema.properties as Record<string, unknown>;
  const required = Array.isArray(schema.required) ? schema.required : [];
  const names = [...new Set([...Object.keys(properties), ...Object.keys(given)])];
  const change = (name: string, value: unknown) => {
    const next = without({ ...given, [name]: value });
    set({ params: Object.keys(next).length > 0 ? next : undefined });
  };
  return (
    <>
      <Switcher value={wanted} onChange={setWanted} />
      {names.length === 0 && <p className={classes.about}>This workflow takes no params.</p>}
      {names.map((name) => (
        <ParamField
          key={name}
          path={`${path}.params.${name}`}
          name={name}
          schema={isObject(properties[name]) ? properties[name] : null}
          required={required.includes(name)}
          value={given[name]}
          onChange={(value) => change(name, value)}
          suggestions={suggestions}
        />
      ))}
    </>
  );
}

function Switcher({ value, onChange }: { value: string; onChange: (value: "fields" | "json") => void }) {
  return (
    <SegmentedControl
      size="xs"
      aria-label="Params: how they are written"
      value={value}
      onChange={(chosen) => onChange(chosen as "fields" | "json")}
      data={[
        { value: "fields", label: "Fields" },
        { value: "json", label: "JSON" },
      ]}
    />
  );
}

interface FieldProps {
  path: string;
  name: string;
  /** Null for one that the workflow does not ask for. */
  schema: Record<string, unknown> | null;
  required: boolean;
  value: unknown;
  onChange: (value: unknown) => void;
  suggestions: Suggestion[];
}

function ParamField({ path, name, schema, required, value, onChange, suggestions }: FieldProps) {
  const fault = useFault(path);
  const kind = typeof schema?.type === "string" ? schema.type : "any";
  const { text, type } = useTyped<unknown>(value, writtenAs(value), onChange);
  const choices = Array.isArray(schema?.enum)
    ? schema.enum.map(writtenAs)
    : kind === "boolean"
      ? ["true", "false"]
      : [];
  const about = [
    schema === null ? "The workflow does not ask for this." : (schema.description as string | undefined),
    schema?.default === undefined ? null : `${writtenAs(schema.default)} when left out.`,
  ].filter(Boolean);
  const missing = required && value === undefined && schema?.default === undefined;
  return (
    <Autocomplete
      className={classes.mono}
      data-path={path}
      label={labelOf(name, schema?.title)}
      required={required}
      withAsterisk={required}
      placeholder={kind === "any" ? "a value or an expression" : `${kind}, or an expression`}
      description={about.length > 0 ? about.join(" ") : undefined}
      inputWrapperOrder={["label", "input", "description", "error"]}
      error={missing ? "The workflow needs this." : fault}
      data={[...choices, ...suggestions.map(({ text: suggested }) => suggested)]}
      filter={({ options, search }) => (search === "" || search.startsWith("$") ? options : [])}
      value={text}
      onChange={(typed) => type(typed, meantBy(typed, kind))}
    />
  );
}

/** The title for people; the name too, where it is another word. */
function labelOf(name: string, title: unknown): string {
  if (typeof title !== "string") return name;
  return title.toLowerCase() === name.toLowerCase() ? title : `${title} (${name})`;
}

function writtenAs(value: unknown): string {
  if (value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** What was typed, as the param's type wants it; text that does not fit stays text, and the server says so. */
export function meantBy(typed: string, kind: string): unknown {
  if (typed === "") return undefined;
  if (typed.includes("${") || kind === "string") return typed;
  try {
    return JSON.parse(typed) as unknown;
  } catch {
    return typed;
  }
}
