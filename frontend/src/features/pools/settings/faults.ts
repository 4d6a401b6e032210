import type { Fault } from "@/api/types";
import { inLabels } from "../labels";
import { type Amount, type Draft, FRESH } from "./draft";

export type Faults = Record<string, string>;

/** What can be told without the server: empty numbers, and rows that the API has no shape for. */
export function check(draft: Draft, isNew: boolean): Faults {
  const faults: Faults = {};
  if (!isNew && draft.image.trim() === "") faults.image = "Name an image.";
  for (const name of Object.keys(FRESH) as (keyof Draft)[]) {
    if (typeof FRESH[name] === "number" && !isNumber(draft[name] as Amount)) faults[name] = NUMBER;
  }
  // The server would lower the minimum without a word when the maximum alone is sent.
  if (!faults.min_size && !faults.max_size && Number(draft.min_size) > Number(draft.max_size)) {
    faults.min_size = `It must not be above the maximum (${draft.max_size}).`;
  }
  draft.env.forEach(({ name }, row) => {
    const fault = nameFault(
      draft.env.map((one) => one.name),
      name,
    );
    if (fault) faults[`env.${row}.name`] = fault;
  });
  draft.shares.forEach(({ team, weight }, row) => {
    const fault = nameFault(
      draft.shares.map((one) => one.team),
      team,
    );
    if (fault) faults[`shares.${row}.team`] = fault;
    if (!isNumber(weight)) faults[`shares.${row}.weight`] = NUMBER;
  });
  return faults;
}

const NUMBER = "This needs a number.";

function isNumber(amount: Amount): boolean {
  return amount !== "" && Number.isFinite(Number(amount));
}

function nameFault(names: string[], name: string): string | null {
  if (name.trim() === "") return "Fill it in, or remove the row.";
  return names.filter((one) => one.trim() === name.trim()).length > 1 ? "This stands here twice." : null;
}

/** The server's faults at the form's fields; `left` are those that no field is to blame for. */
export function placed(errors: Fault[], draft: Draft): { at: Faults; left: Fault[] } {
  const at: Faults = {};
  const left: Fault[] = [];
  for (const fault of errors) {
    const place = placeOf(fault, draft);
    if (place === null) left.push(fault);
    else at[place] = [at[place], inLabels(fault.message)].filter(Boolean).join(" ");
  }
  return { at, left };
}

function placeOf({ path, message }: Fault, draft: Draft): string | null {
  const [root = "", ...rest] = path.split(/[.[\]]+/).filter(Boolean);
  if (root === "shares" && rest.length > 0) return placeOfShare(rest, message, draft);
  if (root === "env") return placeOfVariable(rest.join("."), message, draft);
  return root in FRESH ? root : null;
}

/** `shares.acme` is about a team, `shares[0].weight` about a row of what was sent. */
function placeOfShare([which = "", part]: string[], message: string, draft: Draft): string {
  const row = draft.shares.findIndex(({ team }) => team.trim() === which);
  if (row >= 0) return `shares.${row}.${message.startsWith("The weight") ? "weight" : "team"}`;
  const sent = draft.shares[Number(which)] !== undefined;
  return sent ? `shares.${which}.${part === "weight" ? "weight" : "team"}` : "shares";
}

/** `env` tells in its sentence which variable it is about, `env.NAME` in its path. */
function placeOfVariable(name: string, message: string, draft: Draft): string {
  const starts = (own: string) => [`'${own}' `, `${own} `, `The value of ${own} `];
  const row = draft.env.findIndex(({ name: own }) =>
    name ? own.trim() === name : starts(own.trim()).some((start) => message.startsWith(start)),
  );
  if (row < 0) return "env";
  return `env.${row}.${name || message.startsWith("The value") ? "value" : "name"}`;
}
