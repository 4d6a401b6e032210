import { useEffect, useId, useRef, useState } from "react";
import { CodeEditor } from "@/components/CodeEditor";
import { sameJson } from "../json";
import type { Suggestion } from "../suggestions";
import { useDesigner } from "../store";
import { useCompletions } from "./completions";
import classes from "./fields.module.css";
import { useFault } from "./simple";

interface Props {
  path: string;
  /** Names what was typed for as long as it cannot be read: `STEP:FIELD`. */
  draftKey: string;
  step: string | null;
  label: string;
  /** Hides the label from the eye; the field keeps its name. */
  bare?: boolean;
  value: unknown;
  /** `undefined` when the editor is emptied. */
  onChange: (value: unknown) => void;
  suggestions?: Suggestion[];
  about?: string;
  minHeight?: number;
  placeholder?: string;
}

const written = (value: unknown) => (value === undefined ? "" : JSON.stringify(value, null, 2));

/** A JSON editor over one value of the document. Text that is no JSON yet is kept, told, and not taken over. */
export function JsonField(props: Props) {
  const { path, draftKey, step, label, value, onChange, suggestions, about } = props;
  const id = useId();
  const unreadable = useDesigner((state) => state.unreadable[draftKey]);
  const setUnreadable = useDesigner((state) => state.setUnreadable);
  const readOnly = useDesigner((state) => state.readOnly);
  const fault = useFault(path);
  const [text, setText] = useState(unreadable?.text ?? written(value));
  const known = useRef(value);
  const completions = useCompletions(suggestions ?? [], true);

  useEffect(() => {
    if (sameJson(known.current ?? null, value ?? null)) return;
    known.current = value;
    setText(written(value));
    setUnreadable(draftKey, null);
  }, [value, draftKey, setUnreadable]);

  const type = (typed: string) => {
    if (typed === text) return;
    setText(typed);
    const read = readJson(typed);
    if ("fault" in read) {
      setUnreadable(draftKey, { text: typed, fault: { path, message: read.fault, step } });
      return;
    }
    setUnreadable(draftKey, null);
    known.current = read.value;
    onChange(read.value);
  };

  return (
    <div data-path={path}>
      {!props.bare && (
        <div className={classes.labelRow}>
          <span className={classes.label} id={id}>
            {label}
          </span>
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
          {unreadable?.fault.message ?? fault}
        </p>
      )}
      {about && <p className={classes.about}>{about}</p>}
    </div>
  );
}

/** Nothing typed is nothing said (`undefined`), not a fault. */
function readJson(text: string): { value: unknown } | { fault: string } {
  if (text.trim() === "") return { value: undefined };
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { fault: `This is not JSON yet (${reason}); the workflow keeps the last value that was.` };
  }
}
