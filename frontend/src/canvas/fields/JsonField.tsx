import { CodeEditor } from "@/components/CodeEditor";
import { useDesigner } from "../store";
import type { Suggestion } from "../suggestions";
import { useCompletions } from "./completions";
import classes from "./fields.module.css";
import { useFault } from "./simple";
import { useJsonText } from "./useJsonText";

interface Props {
  path: string;
  /** Names what was typed for as long as it cannot be read: `STEP:FIELD`. */
  draftKey: string;
  step: string | null;
  label: string;
  /** Leaves the label to what stands around it; the field keeps its name. */
  bare?: boolean;
  value: unknown;
  /** `undefined` when the editor is emptied. */
  onChange: (value: unknown) => void;
  /** Takes what was read, or says in a sentence why it cannot be taken. */
  accept?: (value: unknown) => { value: unknown } | { fault: string };
  suggestions?: Suggestion[];
  about?: string;
  minHeight?: number;
  placeholder?: string;
}

const NONE: Suggestion[] = [];

/** A JSON editor over one value of the document. */
export function JsonField(props: Props) {
  const { path, label, suggestions = NONE, about } = props;
  const { text, type, fault: unreadable } = useJsonText(props);
  const readOnly = useDesigner((state) => state.readOnly);
  const fault = useFault(path);
  const completions = useCompletions(suggestions, true);
  return (
    <div data-path={path}>
      {!props.bare && (
        <div className={classes.labelRow}>
          <span className={classes.label}>{label}</span>
        </div>
      )}
      <CodeEditor
        language="json"
        label={label}
        value={text}
        onChange={type}
        readOnly={readOnly}
        minHeight={props.minHeight ?? 72}
        maxHeight={320}
        placeholder={props.placeholder}
        completions={completions}
      />
      {(unreadable || fault) && (
        <p className={classes.fault} role="alert">
          {unreadable ?? fault}
        </p>
      )}
      {about && <p className={classes.about}>{about}</p>}
    </div>
  );
}
