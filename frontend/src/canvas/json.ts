/** JSON values: telling objects from the rest, leaving fields out, comparing. */

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The object without the fields that are `undefined`. */
export function without<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as T;
}

/** Whether two values say the same (the order of fields does not count, that of lists does). */
export function sameJson(one: unknown, other: unknown): boolean {
  return one === other || stable(one) === stable(other);
}

function stable(value: unknown): string {
  return JSON.stringify(value, (_key, field: unknown) =>
    isObject(field) ? Object.fromEntries(Object.entries(field).sort(([a], [b]) => (a < b ? -1 : 1))) : field,
  );
}
