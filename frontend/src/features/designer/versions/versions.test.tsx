import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it } from "vitest";
import type { Diff } from "@/api/versions";
import { faultsOf, renderPage } from "@/testing/render";
import { DiffView } from "./DiffView";
import { grouped, placeOfChange } from "./grouping";
import { lineDiff, unifiedLines } from "./lines";

const diff: Diff = {
  from: 1,
  to: 2,
  changes: [
    { path: "steps[count].pool.size", kind: "changed", before: 2, after: 4 },
    { path: "steps[count].run.code", kind: "changed", before: "a\nb\nc", after: "a\nB\nc" },
    { path: "steps[loop].steps[inner]", kind: "added", before: null, after: { id: "inner" } },
    { path: "timeout", kind: "removed", before: "1h", after: null },
    { path: "layout.count.x", kind: "changed", before: 1, after: 2 },
  ],
  steps: { added: ["loop.inner"], removed: [], changed: ["count", "loop"] },
  text: "--- version 1\n+++ version 2\n@@ -1 +1 @@\n-size: 2\n+size: 4\n",
};

it("changes are told by step; places on the canvas are not", () => {
  expect(placeOfChange("steps[a].steps[b].run.code")).toEqual({ step: "b", field: "run.code" });
  expect(placeOfChange("steps")).toEqual({ step: null, field: "steps" });
  const { groups, moved } = grouped(diff);
  expect(groups.map(({ step, kind }) => [step, kind])).toEqual([
    ["count", "changed"],
    ["inner", "added"],
    [null, "changed"],
  ]);
  expect(moved).toBe(true);
});

it("lines differ where they differ", () => {
  expect(lineDiff("a\nb\nc", "a\nB\nc").map(({ mark, text }) => mark + text)).toEqual([
    " a",
    "-b",
    "+B",
    " c",
  ]);
  expect(lineDiff("", "a")).toEqual([
    { mark: "-", text: "" },
    { mark: "+", text: "a" },
  ]);
  expect(unifiedLines(diff.text ?? "").map(({ mark }) => mark)).toEqual(["@", "@", "@", "-", "+"]);
});

it("shows both ways of looking at it", async () => {
  const { container } = await renderPage(<DiffView diff={diff} />);
  expect(screen.getByText("1 step added, 2 steps changed")).toBeVisible();
  expect(within(screen.getByRole("region", { name: "count" })).getByText("pool.size")).toBeVisible();
  expect(await faultsOf(container)).toEqual([]);
  await userEvent.click(screen.getByText("Text"));
  expect(screen.getByText("size: 4")).toBeVisible();
});
