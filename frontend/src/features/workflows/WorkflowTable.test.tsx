import { screen, waitFor, within } from "@testing-library/react";
import { expect, it, vi } from "vitest";
import type { WorkflowSummary } from "@/api/types";
import { stubApi } from "@/testing/api";
import { faultsOf, renderPage } from "@/testing/render";
import { aPerson } from "@/testing/shapes";
import { WorkflowTable } from "./WorkflowTable";

const now = new Date().toISOString();

const census: WorkflowSummary = {
  name: "code-census",
  description: "Counts what a source tree is made of",
  version: 3,
  steps: 12,
  has_params: true,
  created_at: now,
  updated_at: now,
  last_run: {
    id: "01a20b85-66e2-7218-86e8-b8247f0d362a",
    workflow: "code-census",
    version: 3,
    state: "failed",
    error: null,
    tags: [],
    created_by: "ada",
    priority: 0,
    created_at: now,
    started_at: now,
    finished_at: now,
    duration_ms: 12,
  },
};
const empty: WorkflowSummary = { ...census, name: "empty", description: "", steps: 0, last_run: null };

it("shows each workflow with its last run, and has nothing that axe minds", async () => {
  const { container } = await renderPage(<WorkflowTable rows={[census, empty]} loading={false} />);
  const row = screen.getByRole("link", { name: "code-census" }).closest("tr") as HTMLElement;
  expect(within(row).getByText("failed")).toBeVisible();
  expect(within(row).getByText("12")).toBeVisible();
  expect(screen.getByText("Never run")).toBeVisible();
  expect(await faultsOf(container)).toEqual([]);
});

it("does not offer to run what has no steps", async () => {
  await renderPage(<WorkflowTable rows={[census, empty]} loading={false} />);
  expect(screen.getByRole("button", { name: "Run code-census" })).toBeEnabled();
  expect(screen.getByRole("button", { name: "Run empty" })).toBeDisabled();
});

it("tells a viewer why nothing can be run", async () => {
  stubApi({ "GET me/": aPerson("viewer") });
  await renderPage(<WorkflowTable rows={[census]} loading={false} />);
  const run = screen.getByRole("button", { name: "Run code-census" });
  await waitFor(() => expect(run).toBeDisabled());
  expect(run).toHaveAccessibleDescription(/needs the role editor in Default; yours is viewer/);
  vi.unstubAllGlobals();
});
