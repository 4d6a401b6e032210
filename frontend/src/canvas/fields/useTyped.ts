import { useState } from "react";
import { sameJson } from "../json";

/**
 * The text of a field over a value. What one types stays as it was typed for as long as it means the value that
 * the document holds; a value from elsewhere (undo, say) replaces it.
 */
export function useTyped<T>(value: T | undefined, written: string, onChange: (value: T | undefined) => void) {
  const [typed, setTyped] = useState<{ text: string; value: T | undefined } | null>(null);
  const holds = typed !== null && sameJson(typed.value ?? null, value ?? null);
  return {
    text: holds ? typed.text : written,
    type: (text: string, meant: T | undefined) => {
      setTyped({ text, value: meant });
      onChange(meant);
    },
    /** Done typing: the field shows how the document has it. */
    settle: () => setTyped(null),
  };
}
