import { Button, type ButtonProps, Skeleton } from "@mantine/core";
import { lazy, type ReactNode, Suspense } from "react";
import type { SchemaFormProps } from "./RjsfForm";

const RjsfForm = lazy(() => import("./RjsfForm"));
const OnceLoaded = lazy(() =>
  import("./RjsfForm").then(() => ({
    default: ({ children }: { children: ReactNode }) => children,
  })),
);

/** A form for a JSON Schema, loaded when it is first seen. */
export function SchemaForm(props: SchemaFormProps) {
  return (
    <Suspense fallback={<Skeleton h={120} />}>
      <RjsfForm {...props} />
    </Suspense>
  );
}

/** Sends the form of that id. Disabled until the form is there: a click on it would do nothing, and say nothing. */
export function SubmitForm(props: ButtonProps & { form: string; children: ReactNode }) {
  return (
    <Suspense fallback={<Button {...props} disabled />}>
      <OnceLoaded>
        <Button {...props} type="submit" />
      </OnceLoaded>
    </Suspense>
  );
}
