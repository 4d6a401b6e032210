import { screen } from "@testing-library/react";
import { expect, it } from "vitest";
import { renderPage } from "@/testing/render";
import { Breadcrumbs } from "./Breadcrumbs";

it("names the page", async () => {
  await renderPage(<Breadcrumbs />, "/workflows");
  expect(screen.getByText("Workflows")).toHaveAttribute("aria-current", "page");
});

it("leads from a thing back to its list", async () => {
  await renderPage(<Breadcrumbs />, "/workflows/code-census");
  expect(screen.getByRole("link", { name: "Workflows" })).toHaveAttribute("href", "/workflows");
  expect(screen.getByText("code-census")).toHaveAttribute("aria-current", "page");
});

it("shortens the id of a run", async () => {
  await renderPage(<Breadcrumbs />, "/runs/01a20b85-66e2-7218-86e8-b8247f0d362a");
  expect(screen.getByText("7f0d362a")).toBeVisible();
});
