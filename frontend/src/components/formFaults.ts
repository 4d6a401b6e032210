import type { UseFormReturnType } from "@mantine/form";

type Faults = Record<string, unknown>;

/** Leads to the first field at fault. */
export function focusFirst<Draft>(form: UseFormReturnType<Draft>, faults: Faults): void {
  const first = Object.keys(faults)[0];
  if (first !== undefined) form.getInputNode(first as never)?.focus();
}

/** Faults that the server told, at their fields. */
export function showFaults<Draft>(form: UseFormReturnType<Draft>, faults: Record<string, string>): void {
  form.setErrors(faults);
  focusFirst(form, faults);
}
