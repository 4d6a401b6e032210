import type { ErrorComponentProps } from "@tanstack/react-router";
import { ErrorNote } from "@/components/ErrorNote";
import { Page } from "./Page";

/** A page that broke: what happened, and a way to try again. */
export function PageFailed({ error, reset }: ErrorComponentProps) {
  return (
    <Page>
      <ErrorNote error={error} title="This page could not be shown" onRetry={reset} />
    </Page>
  );
}
