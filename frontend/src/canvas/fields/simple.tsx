/** The plain fields of the inspector: each knows its path in the document, and shows what is wrong there. */
import { NumberInput, Select, Switch, TextInput } from "@mantine/core";
import type { ReactNode } from "react";
import { useDesigner } from "../store";
import { faultAt } from "../store/problemsSlice";
import classes from "./fields.module.css";

interface FieldProps<T> {
  /** Where the field stands in the document: `steps[1].timeout`. */
  path: string;
  label: string;
  value: T | undefined;
  /** `undefined` leaves the field out of the document. */
  onChange: (value: T | undefined) => void;
  about?: ReactNode;
  placeholder?: string;
}

export function useFault(path: string): string | undefined {
  return useDesigner((state) => faultAt(state.problems, path));
}

/** A part of the inspector with its heading, and an action beside it. */
export function Section({
  title,
  children,
  aside,
}: {
  title: string;
  children: ReactNode;
  aside?: ReactNode;
}) {
  return (
    <section className={classes.section} aria-label={title}>
      <h3 className={classes.heading}>
        {title}
        {aside}
      </h3>
      {children}
    </section>
  );
}

export function Pair({ children }: { children: ReactNode }) {
  return <div className={classes.pair}>{children}</div>;
}

export function TextField({
  path,
  value,
  onChange,
  about,
  mono,
  ...rest
}: FieldProps<string> & { mono?: boolean }) {
  const fault = useFault(path);
  return (
    <TextInput
      {...rest}
      data-path={path}
      className={mono ? classes.mono : undefined}
      description={about}
      inputWrapperOrder={["label", "input", "description", "error"]}
      value={value ?? ""}
      error={fault}
      onChange={(event) => onChange(event.currentTarget.value === "" ? undefined : event.currentTarget.value)}
    />
  );
}

/** "90s", "10m", "1h", or seconds. */
export function DurationField({ value, ...rest }: FieldProps<string | number>) {
  return <TextField {...rest} value={value === undefined ? undefined : String(value)} />;
}

interface NumberProps extends FieldProps<number> {
  min?: number;
  max?: number;
  step?: number;
  decimals?: boolean;
}

export function NumberField({ path, value, onChange, about, decimals = false, ...rest }: NumberProps) {
  const fault = useFault(path);
  return (
    <NumberInput
      {...rest}
      data-path={path}
      description={about}
      inputWrapperOrder={["label", "input", "description", "error"]}
      value={value ?? ""}
      error={fault}
      allowDecimal={decimals}
      clampBehavior="none"
      onChange={(given) => onChange(typeof given === "number" ? given : undefined)}
    />
  );
}

interface ChoiceProps<T extends string> extends FieldProps<T> {
  options: { value: T; label: string }[];
}

export function ChoiceField<T extends string>({
  path,
  value,
  onChange,
  about,
  options,
  ...rest
}: ChoiceProps<T>) {
  const fault = useFault(path);
  return (
    <Select
      {...rest}
      data-path={path}
      description={about}
      inputWrapperOrder={["label", "input", "description", "error"]}
      data={options}
      value={value ?? null}
      error={fault}
      onChange={(given) => onChange((given as T | null) ?? undefined)}
    />
  );
}

interface SwitchProps {
  path: string;
  label: string;
  about?: string;
  value: boolean;
  onChange: (value: boolean) => void;
}

export function SwitchField({ path, value, onChange, about, label }: SwitchProps) {
  const fault = useFault(path);
  return (
    <Switch
      data-path={path}
      label={label}
      description={about}
      error={fault}
      checked={value}
      onChange={(event) => onChange(event.currentTarget.checked)}
    />
  );
}
