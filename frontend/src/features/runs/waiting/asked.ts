import type { Step } from "@/api/types";
import { isObject } from "@/canvas/json";

/** What an approval asks, as the engine wrote it into the step's input. */
export interface Asked {
  prompt: string;
  form: Record<string, unknown> | null;
  approvers: string[];
}

export function askedOf(step: Step | undefined): Asked | null {
  const input = step?.input;
  if (!isObject(input)) return null;
  return {
    prompt: typeof input.prompt === "string" ? input.prompt : "",
    form: isObject(input.form) ? input.form : null,
    approvers: Array.isArray(input.approvers) ? input.approvers.map(String) : [],
  };
}

/** What was decided, as the engine wrote it into the step's output. */
export interface Decision {
  approved: boolean;
  by: string | null;
  at: string;
  data: unknown;
}

export function decisionOf(step: Step | undefined): Decision | null {
  const output = step?.output;
  return isObject(output) && typeof output.approved === "boolean" ? (output as unknown as Decision) : null;
}

const ORDER = ["viewer", "editor", "operator", "admin"];

/** Whether a member of the team may decide; the server checks the same. */
export function mayDecide(approvers: string[], person: { username: string; role: string }): boolean {
  return approvers.some((approver) => {
    const [kind, name = ""] = [
      approver.slice(0, approver.indexOf(":")),
      approver.slice(approver.indexOf(":") + 1),
    ];
    if (kind === "user") return name === person.username;
    return kind === "role" && ORDER.includes(name) && ORDER.indexOf(person.role) >= ORDER.indexOf(name);
  });
}

/** "operators, ada" */
export function whoDecides(approvers: string[]): string {
  return approvers.map((approver) => approver.replace(/^role:(.+)$/, "$1s").replace(/^user:/, "")).join(", ");
}

/** A form's data without the schema's need of fields: what one says with a rejection is up to the person. */
export function asksForData(form: Record<string, unknown> | null): form is Record<string, unknown> {
  return form !== null && isObject(form.properties) && Object.keys(form.properties).length > 0;
}
