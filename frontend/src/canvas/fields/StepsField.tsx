import { MultiSelect } from "@mantine/core";
import { useFault } from "./simple";

interface Props {
  path: string;
  label: string;
  name?: string;
  value: string[];
  /** Ids that may be chosen. */
  possible: string[];
  onChange: (value: string[]) => void;
  about?: string;
  placeholder?: string;
  nothing?: string;
}

/** Several steps of the open graph, by their ids. */
export function StepsField({ path, label, name, value, possible, onChange, about, ...props }: Props) {
  const fault = useFault(path);
  const chosen = [...new Set(value)];
  return (
    <MultiSelect
      label={label}
      {...(name ? { "aria-label": name } : {})}
      data-path={path}
      placeholder={chosen.length === 0 ? (props.placeholder ?? "No step yet") : undefined}
      description={about}
      inputWrapperOrder={["label", "input", "description", "error"]}
      data={[...chosen, ...possible.filter((id) => !chosen.includes(id))]}
      value={chosen}
      error={fault}
      searchable
      nothingFoundMessage={props.nothing ?? "There is no such step here."}
      onChange={onChange}
    />
  );
}
