import { CodeEditor } from "@/components/CodeEditor";
import type { Condition } from "../document";
import { useDesigner } from "../store";
import type { Suggestion } from "../suggestions";
import { useExpressionCompletions } from "./completions";
import classes from "./fields.module.css";
import { useFault } from "./simple";
import { useTyped } from "./useTyped";

interface Props {
  path: string;
  label: string;
  /** What it is called where several have the same label. */
  name?: string;
  /** An empty one stays in the document, as a fault; else the field is left out. */
  required?: boolean;
  value: Condition | undefined;
  onChange: (value: Condition | undefined) => void;
  suggestions: Suggestion[];
  about?: string;
}

/** A condition, written as the bare expression; the document has it inside `${…}`. */
export function ConditionField({ path, label, name = label, value, ...props }: Props) {
  const readOnly = useDesigner((state) => state.readOnly);
  const fault = useFault(path);
  const { text, type } = useTyped<Condition>(value, asExpression(value), props.onChange);
  const completions = useExpressionCompletions(props.suggestions);
  return (
    <div data-path={path}>
      <div className={classes.labelRow}>
        <span className={classes.label}>{label}</span>
      </div>
      <CodeEditor
        line
        language="text"
        label={name}
        value={text}
        readOnly={readOnly}
        placeholder={props.required ? "params.n > 3" : "always"}
        completions={completions}
        onChange={(typed) => {
          if (typed !== text) type(typed, asCondition(typed) ?? (props.required ? "" : undefined));
        }}
      />
      {fault && (
        <p className={classes.fault} role="alert">
          {fault}
        </p>
      )}
      {props.about && <p className={classes.about}>{props.about}</p>}
    </div>
  );
}

/** `${params.n > 3}` as `params.n > 3`; what is not one expression, as it is. */
export function asExpression(value: Condition | undefined): string {
  if (value === undefined) return "";
  if (typeof value === "boolean") return String(value);
  const source = /^\s*\$\{([\s\S]*)\}\s*$/.exec(value)?.[1];
  return source === undefined || source.includes("${") ? value : source;
}

/** The other way round; undefined for nothing. */
export function asCondition(typed: string): Condition | undefined {
  const text = typed.trim();
  if (text === "") return undefined;
  if (text === "true" || text === "false") return text === "true";
  return text.includes("${") ? text : `\${${text}}`;
}
