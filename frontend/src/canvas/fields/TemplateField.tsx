import { Autocomplete } from "@mantine/core";
import type { Suggestion } from "../suggestions";
import classes from "./fields.module.css";
import { useFault } from "./simple";

interface Props {
  path: string;
  label: string;
  value: string | undefined;
  onChange: (value: string | undefined) => void;
  suggestions: Suggestion[];
  about?: string;
  placeholder?: string;
}

/** A text that may hold expressions: offers them where nothing is written, or one was begun. */
export function TemplateField({ path, label, value = "", onChange, suggestions, about, placeholder }: Props) {
  const fault = useFault(path);
  return (
    <Autocomplete
      className={classes.mono}
      data-path={path}
      label={label}
      placeholder={placeholder}
      description={about}
      inputWrapperOrder={["label", "input", "description", "error"]}
      error={fault}
      value={value}
      data={suggestions.map(({ text }) => text)}
      filter={({ options, search }) => (search === "" || search.startsWith("$") ? options : [])}
      renderOption={({ option }) => (
        <span>
          <code>{option.value}</code>{" "}
          <span className={classes.about}>
            {suggestions.find(({ text }) => text === option.value)?.about}
          </span>
        </span>
      )}
      onChange={(typed) => onChange(typed === "" ? undefined : typed)}
    />
  );
}
