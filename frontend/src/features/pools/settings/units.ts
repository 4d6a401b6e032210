import type { Amount } from "./draft";

export interface Unit {
  name: string;
  /** How much of the setting's own unit it is. */
  factor: number;
}

export const TIMES: Unit[] = [
  { name: "s", factor: 1 },
  { name: "min", factor: 60 },
  { name: "h", factor: 3600 },
  { name: "d", factor: 86_400 },
];

export const MEMORY: Unit[] = [
  { name: "MiB", factor: 1024 ** 2 },
  { name: "GiB", factor: 1024 ** 3 },
];

export const PERCENT: Unit[] = [{ name: "%", factor: 0.01 }];

/** The largest unit in which the amount is a whole number; else the smallest. */
export function unitFor(units: Unit[], amount: Amount): Unit {
  const whole = units.filter(({ factor }) => Number(amount) > 0 && Number(amount) % factor === 0);
  return (whole.at(-1) ?? units[0]) as Unit;
}

/** The amount in the unit, as it is shown. */
export function inUnit(amount: Amount, unit: Unit): Amount {
  return isAmount(amount) ? Number((Number(amount) / unit.factor).toFixed(4)) : amount;
}

/** What was typed, in the setting's own unit; what is no number stays as it is. */
export function ofUnit(typed: Amount, unit: Unit): Amount {
  return isAmount(typed) ? Number((Number(typed) * unit.factor).toPrecision(15)) : typed;
}

function isAmount(typed: Amount): boolean {
  return typed !== "" && Number.isFinite(Number(typed));
}
