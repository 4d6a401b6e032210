import { Skeleton } from "@mantine/core";
import { lazy, Suspense } from "react";
import type { SchemaFormProps } from "./RjsfForm";

const RjsfForm = lazy(() => import("./RjsfForm"));

/** A form for a JSON Schema, loaded when it is first seen. */
export function SchemaForm(props: SchemaFormProps) {
  return (
    <Suspense fallback={<Skeleton h={120} />}>
      <RjsfForm {...props} />
    </Suspense>
  );
}
