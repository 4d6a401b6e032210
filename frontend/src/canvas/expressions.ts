/** `${…}` in JSON values: telling them, and renaming steps in them. */
import { isObject } from "./json";

/** The same grammar as the server's: braces and quoted texts may stand inside an expression. */
const TEMPLATE = /\$\{((?:[^{}"']|\{[^{}]*\}|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')*)\}/g;
const PLAIN_PATH = /^\s*[A-Za-z_]\w*(?:\.[A-Za-z_][\w-]*|\[\d+\]|\["[^"\\]*"\]|\['[^'\\]*'\])*\s*$/;

/** Every `steps.FROM` inside `${…}` of a JSON value becomes `steps.TO`; text outside expressions stays. */
export function renameInExpressions<T>(value: T, from: string, to: string): T {
  if (typeof value === "string") return renameInText(value, from, to) as T;
  if (Array.isArray(value)) return value.map((one) => renameInExpressions(one, from, to)) as T;
  if (!isObject(value)) return value;
  const fields = Object.entries(value).map(([key, field]) => [key, renameInExpressions(field, from, to)]);
  return Object.fromEntries(fields) as T;
}

function renameInText(text: string, from: string, to: string): string {
  const name = from.replace(/[-]/g, "\\-");
  const dotted = new RegExp(`\\bsteps\\.${name}(?![\\w-])`, "g");
  const quoted = new RegExp(`\\bsteps\\[\\s*(["'])${name}\\1\\s*\\]`, "g");
  return text.replace(TEMPLATE, (_whole, source: string) => {
    // Outside plain paths a dash means "minus", so such an id has to stand in quotes.
    const plain = PLAIN_PATH.test(source) || !to.includes("-");
    const renamed = source
      .replace(dotted, plain ? `steps.${to}` : `steps["${to}"]`)
      .replace(quoted, (_text, quote: string) => `steps[${quote}${to}${quote}]`);
    return `\${${renamed}}`;
  });
}

/** Whether the value is one expression and nothing else. */
export function isExpression(value: unknown): value is string {
  return typeof value === "string" && /^\s*\$\{[\s\S]*\}\s*$/.test(value);
}
