/**
 * The plain fields of the inspector: each knows its path in the document, and shows what is wrong there.
 * A field that is set to its `standard` value is left out of the document.
 */
import { NumberInput, Select, Switch, Textarea, TextInput } from "@mantine/core";
import type { ReactNode } from "react";
import { useDesigner } from "../store";
import { faultAt } from "../store/problemsSlice";
import { secondsOf } from "./durations";
import classes from "./fields.module.css";
import { useTyped } from "./useTyped";

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

const ORDER: ("label" | "input" | "description" | "error")[] = ["label", "input", "description", "error"];

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
      inputWrapperOrder={ORDER}
      value={value ?? ""}
      error={fault}
      onChange={(event) => onChange(event.currentTarget.value === "" ? undefined : event.currentTarget.value)}
    />
  );
}

export function TextAreaField({ path, value, onChange, about, ...rest }: FieldProps<string>) {
  const fault = useFault(path);
  return (
    <Textarea
      {...rest}
      data-path={path}
      rows={3}
      resize="vertical"
      description={about}
      inputWrapperOrder={ORDER}
      value={value ?? ""}
      error={fault}
      onChange={(event) => onChange(event.currentTarget.value || undefined)}
    />
  );
}

/** "90s", "10m", "1h", or seconds. */
export function DurationField({
  path,
  value,
  onChange,
  about,
  standard,
  placeholder = standard,
  label,
}: FieldProps<string | number> & { standard?: string }) {
  const fault = useFault(path);
  const { text, type, settle } = useTyped(value, value === undefined ? "" : String(value), onChange);
  const usual = standard === undefined ? null : secondsOf(standard);
  return (
    <TextInput
      label={label}
      placeholder={placeholder}
      data-path={path}
      description={about}
      inputWrapperOrder={ORDER}
      value={text}
      error={fault}
      onBlur={settle}
      onChange={({ currentTarget: { value: typed } }) => {
        const same = usual !== null && secondsOf(typed) === usual;
        type(typed, typed === "" || same ? undefined : typed);
      }}
    />
  );
}

interface NumberProps extends FieldProps<number> {
  min?: number;
  max?: number;
  step?: number;
  decimals?: boolean;
  standard?: number;
}

export function NumberField({
  path,
  value,
  onChange,
  about,
  decimals = false,
  standard,
  placeholder = standard === undefined ? undefined : String(standard),
  ...rest
}: NumberProps) {
  const fault = useFault(path);
  const { text, type, settle } = useTyped(value, value === undefined ? "" : String(value), onChange);
  return (
    <NumberInput
      {...rest}
      placeholder={placeholder}
      data-path={path}
      description={about}
      inputWrapperOrder={ORDER}
      value={text}
      error={fault}
      allowDecimal={decimals}
      clampBehavior="none"
      onBlur={settle}
      onChange={(given) => {
        const meant = typeof given === "number" && given !== standard ? given : undefined;
        if (String(given) !== text) type(String(given), meant);
      }}
    />
  );
}

interface ChoiceProps<T extends string> extends FieldProps<T> {
  options: { value: T; label: string }[];
  standard?: T;
}

export function ChoiceField<T extends string>({
  path,
  value,
  onChange,
  about,
  options,
  standard,
  ...rest
}: ChoiceProps<T>) {
  const fault = useFault(path);
  return (
    <Select
      {...rest}
      data-path={path}
      description={about}
      inputWrapperOrder={ORDER}
      data={options}
      value={value ?? standard ?? null}
      error={fault}
      onChange={(given) => onChange(given === null || given === standard ? undefined : (given as T))}
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
