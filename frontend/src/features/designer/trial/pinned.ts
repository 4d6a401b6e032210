/** What a step is tried with before anyone says: its own input, as far as it is known without a run. Pure. */
import { type Step, type WorkflowDocument } from "@/canvas/document";
import { isExpression } from "@/canvas/expressions";
import { isObject } from "@/canvas/json";

/** The input of a trial; for steps over a list, the list. */
export function pinnedInput(document: WorkflowDocument, step: Step): unknown {
  const params = defaultsOf(document.params);
  if (step.type === "map" || step.type === "mapreduce") {
    const list = known(step.over, params);
    return Array.isArray(list) && list.length > 0 ? list : [null];
  }
  if (step.input !== undefined) return known(step.input, params);
  if (step.type === "reduce") return { results: [1, 2, 3] };
  return argumentsOf(step.run?.code ?? "");
}

/** A JSON value with the params' defaults in it; what only a run knows is null. */
function known(value: unknown, params: Record<string, unknown>): unknown {
  if (isExpression(value)) {
    const name = /^\s*\$\{\s*params(?:\.([A-Za-z_]\w*))?\s*\}\s*$/.exec(value);
    if (!name) return null;
    return name[1] === undefined ? params : (params[name[1]] ?? null);
  }
  if (Array.isArray(value)) return value.map((one) => known(one, params));
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, known(field, params)]));
}

function defaultsOf(schema: unknown): Record<string, unknown> {
  const properties = isObject(schema) && isObject(schema.properties) ? schema.properties : {};
  return Object.fromEntries(
    Object.entries(properties)
      .filter(([, one]) => isObject(one) && one.default !== undefined)
      .map(([name, one]) => [name, (one as Record<string, unknown>).default]),
  );
}

/** The arguments of `main` that have no default, each null; `ctx` is given by the agent. */
function argumentsOf(code: string): Record<string, null> {
  const signature = /def\s+main\s*\(([^)]*)\)/.exec(code)?.[1] ?? "";
  const names = signature
    .split(",")
    .map((one) => one.trim())
    .filter((one) => /^[A-Za-z_]\w*(\s*:[^=]+)?$/.test(one))
    .map((one) => one.replace(/\s*:.*$/, ""))
    .filter((one) => one !== "ctx" && one !== "self");
  return Object.fromEntries(names.map((name) => [name, null]));
}
