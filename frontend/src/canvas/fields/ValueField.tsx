import { Autocomplete, SegmentedControl } from "@mantine/core";
import { useState } from "react";
import { isExpression } from "../expressions";
import type { Suggestion } from "../suggestions";
import { useDesigner } from "../store";
import classes from "./fields.module.css";
import { JsonField } from "./JsonField";
import { useFault } from "./simple";

interface Props {
  path: string;
  draftKey: string;
  step: string | null;
  label: string;
  value: unknown;
  onChange: (value: unknown) => void;
  suggestions: Suggestion[];
  about?: string;
  placeholder?: string;
}

type Mode = "expression" | "json";

/** A value that is either one expression, or JSON that may hold expressions. */
export function ValueField(props: Props) {
  const { path, label, value, onChange, suggestions, about } = props;
  const fault = useFault(path);
  const readOnly = useDesigner((state) => state.readOnly);
  const [mode, setMode] = useState<Mode>(modeOf(value) ?? "json");
  // Undo, or a suggestion taken, may bring a value of the other kind.
  const [known, setKnown] = useState(value);
  if (known !== value) {
    setKnown(value);
    const needed = modeOf(value);
    if (needed === "json" && mode === "expression" && typeof value !== "string") setMode("json");
    if (needed === "expression" && mode === "json" && modeOf(known) !== undefined) setMode("expression");
  }
  return (
    <div>
      <div className={classes.labelRow}>
        <span className={classes.label}>{label}</span>
        <SegmentedControl
          size="xs"
          value={mode}
          onChange={(chosen) => setMode(chosen as Mode)}
          data={[
            { value: "expression", label: "Expression" },
            { value: "json", label: "JSON" },
          ]}
          aria-label={`${label}: how it is written`}
        />
      </div>
      {mode === "json" ? (
        <JsonField {...props} bare />
      ) : (
        <Autocomplete
          className={classes.mono}
          data-path={path}
          aria-label={label}
          readOnly={readOnly}
          placeholder={props.placeholder ?? "${steps.….output}"}
          value={typeof value === "string" ? value : ""}
          data={suggestions.map(({ text }) => text)}
          filter={({ options }) => options}
          renderOption={({ option }) => (
            <span>
              <code>{option.value}</code>{" "}
              <span className={classes.about}>
                {suggestions.find(({ text }) => text === option.value)?.about}
              </span>
            </span>
          )}
          error={fault}
          description={about}
          inputWrapperOrder={["label", "input", "description", "error"]}
          onChange={(typed) => onChange(typed === "" ? undefined : typed)}
        />
      )}
    </div>
  );
}

function modeOf(value: unknown): Mode | undefined {
  if (value === undefined) return undefined;
  return isExpression(value) ? "expression" : "json";
}
