/** One line of what a step runs, and where: for nodes and their descriptions. */
import { isExpression } from "../expressions";
import type { RunSpec, Step, WorkflowDocument } from "../document";

/** The docstring or first statement of `main`, the command, the image, or the handler. */
export function whatItRuns(run: RunSpec = {}): string {
  if (run.code !== undefined) return firstLine(run.code);
  if (run.command !== undefined) return commandLine(run.command);
  if (run.image !== undefined) return run.path ? `${run.image} ${run.path}` : run.image || "no image yet";
  return run.handler ?? "nothing yet";
}

/** The pool that its agents come from, in words. */
export function whereItRuns(step: Step, document: WorkflowDocument): string {
  if (typeof step.pool === "string") return step.pool;
  if (step.pool) return step.pool.mode === "standard" ? "own agents, used once" : "own pool";
  return document.defaults?.pool ?? "shared pool";
}

/** Where the elements of a map come from, in few words. */
export function sourceOf(over: unknown): string {
  if (isExpression(over)) return over.trim().slice(2, -1);
  if (Array.isArray(over)) return over.length === 1 ? "1 element" : `${over.length} elements`;
  return "no list yet";
}

function commandLine(command: string | string[]): string {
  const line = typeof command === "string" ? command.trim().split("\n")[0] : command.join(" ");
  return line ? `$ ${line}` : "no command yet";
}

function firstLine(code: string): string {
  const lines = code.split("\n").map((line) => line.trim());
  const main = lines.findIndex((line) => /^(async\s+)?def\s+main\b/.test(line));
  const body = lines.slice(main + 1).find((line) => line !== "" && !line.startsWith("#"));
  return unquoted(body ?? lines.find((line) => line !== "") ?? "no code yet");
}

function unquoted(line: string): string {
  const docstring = line.match(/^(?:"""|''')\s*(.*?)\s*(?:"""|''')?$/);
  return docstring?.[1] || line;
}
