import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";
import { faultsOf, renderPage } from "@/testing/render";
import { Navigation } from "./Navigation";

it("links to every page by its name, folded or not", async () => {
  for (const folded of [false, true]) {
    const { container, unmount } = await renderPage(<Navigation folded={folded} onFold={() => undefined} />);
    for (const name of [
      "Workflows",
      "Runs",
      "Triggers",
      "Pools",
      "Scaling",
      "Budgets",
      "Agents",
      "Nodes",
      "Settings",
    ]) {
      expect(screen.getByRole("link", { name })).toHaveAttribute("href", `/${name.toLowerCase()}`);
    }
    expect(await faultsOf(container)).toEqual([]);
    unmount();
  }
});

it("folds away", async () => {
  const fold = vi.fn();
  await renderPage(<Navigation folded={false} onFold={fold} />);
  const button = screen.getByRole("button", { name: "Fold the navigation" });
  expect(button).toHaveAttribute("aria-expanded", "true");
  await userEvent.click(button);
  expect(fold).toHaveBeenCalledOnce();
});
