/** Documents out of files and pasted text, JSON or YAML. The "New workflow" dialog may use this too. */
import { readDocument, type WorkflowDocument } from "@/canvas/document";

const LONGEST = 10 * 1024 * 1024;

/** The document that a text holds, or a sentence on why it holds none. YAML's reader loads when it is needed. */
export async function documentIn(text: string): Promise<WorkflowDocument | string> {
  if (text.trim() === "") return "There is nothing in it.";
  if (text.length > LONGEST) return "It is longer than 10 MB.";
  const { parse } = await import("yaml");
  try {
    // JSON is YAML too, and this reader says where a fault is.
    return readDocument(parse(text, { prettyErrors: true }));
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
    return `It can be read neither as JSON nor as YAML: ${reason}`;
  }
}
