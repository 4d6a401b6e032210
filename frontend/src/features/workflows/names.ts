const PATTERN = /^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$/;

/** What was typed, as a name that documents and addresses can hold: "My flow" becomes "my-flow". */
export function asName(typed: string): string {
  return typed
    .normalize("NFKD")
    .replace(/[\u0300-\u036f]/g, "")
    .toLowerCase()
    .replace(/ß/g, "ss")
    .replace(/[^a-z0-9_-]+/g, "-")
    .replace(/^[-_]+|[-_]+$/g, "")
    .slice(0, 63)
    .replace(/[-_]+$/, "");
}

/** Why a name cannot be used, in a sentence; null when it can. */
export function nameFault(typed: string): string | null {
  if (typed.trim() === "") return "Give the workflow a name.";
  return PATTERN.test(asName(typed)) ? null : "A name needs at least one letter or digit.";
}
