import { useEffect, useRef, useState } from "react";
import { sameJson } from "../json";
import { useDesigner } from "../store";

interface Options<T> {
  /** Names what was typed for as long as it cannot be read: `STEP:FIELD`. */
  draftKey: string;
  path: string;
  step: string | null;
  value: T | undefined;
  /** `undefined` when the editor is emptied. */
  onChange: (value: T | undefined) => void;
  /** Takes what was read, or says in a sentence why it cannot be taken. */
  accept?: (value: unknown) => { value: T } | { fault: string };
}

const SHORT = 40;

/** Short lists and objects stand on one line. */
function written(value: unknown): string {
  if (value === undefined) return "";
  const line = JSON.stringify(value);
  return line.length <= SHORT ? spaced(line) : JSON.stringify(value, null, 2);
}

/** `[1,2]` as people write it. Texts stay as they are. */
function spaced(line: string): string {
  return line.replace(/"(?:[^"\\]|\\.)*"|[,:]/g, (part) =>
    part === "," || part === ":" ? `${part} ` : part,
  );
}

/** The text of a JSON editor over a value: text that is no JSON yet is kept, told, and not taken over. */
export function useJsonText<T>(options: Options<T>) {
  const { draftKey, path, step, value, onChange, accept } = options;
  const unreadable = useDesigner((state) => state.unreadable[draftKey]);
  const setUnreadable = useDesigner((state) => state.setUnreadable);
  const [text, setText] = useState(unreadable?.text ?? written(value));
  const known = useRef<unknown>(value);

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
    const taken = "fault" in read || !accept ? read : accept(read.value);
    if ("fault" in taken) {
      setUnreadable(draftKey, { text: typed, fault: { path, message: taken.fault, step } });
      return;
    }
    setUnreadable(draftKey, null);
    known.current = taken.value;
    onChange(taken.value as T | undefined);
  };

  /** Forgets what cannot be read: the value's own text again. */
  const reset = () => {
    setText(written(value));
    setUnreadable(draftKey, null);
  };

  return { text, type, reset, fault: unreadable?.fault.message };
}

/** Nothing typed is nothing said (`undefined`), not a fault. */
function readJson(text: string): { value: unknown } | { fault: string } {
  if (text.trim() === "") return { value: undefined };
  try {
    return { value: JSON.parse(text) as unknown };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { fault: `This is not JSON yet (${reason}); the workflow keeps the last value that was.` };
  }
}
