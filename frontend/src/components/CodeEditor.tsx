import { Skeleton } from "@mantine/core";
import { lazy, Suspense } from "react";
import type { CodeMirrorProps } from "./CodeMirror";

const CodeMirror = lazy(() => import("./CodeMirror"));

/** CodeMirror, loaded when it is first seen. */
export function CodeEditor(props: CodeMirrorProps) {
  return (
    <Suspense fallback={<Skeleton h={props.minHeight ?? (props.line ? 36 : 160)} />}>
      <CodeMirror {...props} />
    </Suspense>
  );
}
