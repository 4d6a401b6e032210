import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { ActionContext } from "@/canvas/actions";
import type { WorkflowDocument } from "@/canvas/document";
import { createDesignerStore, DesignerProvider, type DesignerStore } from "@/canvas/store";
import { faultsOf, renderPage } from "@/testing/render";
import { aPool } from "@/testing/shapes";
import { ActionsProvider } from "../actionContext";
import { Inspector } from "./Inspector";

const document: WorkflowDocument = {
  name: "census",
  steps: [
    { id: "list", type: "task", run: { code: "def main():\n    return [1]\n" } },
    { id: "count", type: "map", needs: ["list"], over: [1, 2, 3], run: { image: "counter:1" } },
  ],
  output: "${steps.list.output}",
};

let store: DesignerStore;
const step = (at: number) => store.getState().document.steps[at];

// CodeMirror measures text, which jsdom cannot; what it edits is the subject of the browser tests.
vi.mock("@/components/CodeEditor", () => ({
  CodeEditor: ({
    label,
    value,
    onChange,
  }: {
    label: string;
    value: string;
    onChange: (v: string) => void;
  }) => (
    <textarea aria-label={label} value={value} onChange={(event) => onChange(event.currentTarget.value)} />
  ),
}));

beforeEach(() => {
  vi.stubGlobal("fetch", async () =>
    Response.json({ results: [aPool("python"), aPool("big")], next: null, previous: null }),
  );
});
afterEach(() => vi.unstubAllGlobals());

async function open(selected: string[], readOnly = false) {
  store = createDesignerStore({ document, version: 1, etag: '"1"' }, readOnly);
  store.getState().select(selected);
  const context: ActionContext = {
    store,
    canvas: () => null,
    openPalette: () => undefined,
    save: () => undefined,
    run: () => undefined,
  };
  return renderPage(
    <DesignerProvider value={store}>
      <ActionsProvider value={context}>
        <Inspector />
      </ActionsProvider>
    </DesignerProvider>,
  );
}

it.each([["list"], ["count"], [undefined]])("axe finds nothing wrong with the fields of %s", async (id) => {
  const { container } = await open(id ? [id] : []);
  expect(await faultsOf(container)).toEqual([]);
});

it("renames a step everywhere, once one is done typing, and refuses a name that is taken", async () => {
  await open(["list"]);
  const id = screen.getByLabelText("ID");
  await userEvent.clear(id);
  await userEvent.type(id, "count");
  expect(screen.getByText(/Another step is called count\./)).toBeVisible();
  await userEvent.clear(id);
  await userEvent.type(id, "files{Enter}");
  expect(step(0)?.id).toBe("files");
  expect(step(1)?.needs).toEqual(["files"]);
  expect(store.getState().document.output).toBe("${steps.files.output}");
  expect(store.getState().selected).toEqual(["files"]);
});

it("offers the output of the step before as the list of a map, with one click", async () => {
  await open(["count"]);
  await userEvent.click(screen.getByRole("button", { name: "Map over its output" }));
  expect(step(1)?.over).toBe("${steps.list.output}");
  expect(screen.getByRole("combobox", { name: "Over" })).toHaveValue("${steps.list.output}");
});

it("edits every field of a pool of the step's own", async () => {
  await open(["count"]);
  const pool = within(screen.getByRole("region", { name: "Pool" }));
  await userEvent.click(pool.getByText("Own"));
  await userEvent.clear(pool.getByLabelText("Size"));
  await userEvent.type(pool.getByLabelText("At least"), "1");
  await userEvent.type(pool.getByLabelText("At most"), "4");
  await userEvent.type(pool.getByLabelText("Uses per agent"), "50");
  await userEvent.type(pool.getByLabelText("Idle time-out"), "2m");
  await userEvent.click(pool.getByRole("switch", { name: /Warm up/ }));
  await userEvent.click(pool.getByRole("combobox", { name: "Capacity type" }));
  await userEvent.click(await screen.findByRole("option", { name: "Spot" }));
  await userEvent.type(pool.getByLabelText("Zone"), "north");
  const sizes = { min_size: 1, max_size: 4, max_uses: 50 };
  const place = { capacity_type: "spot", zone: "north" };
  expect(step(1)?.pool).toEqual({ mode: "pooled", ...sizes, ...place, idle_timeout: "2m", warm_up: true });
  await userEvent.click(pool.getByText("Shared"));
  expect(step(1)).not.toHaveProperty("pool");
});

it("takes the pools that there are as choices", async () => {
  await open(["list"]);
  await userEvent.click(within(screen.getByRole("region", { name: "Pool" })).getByText("Existing"));
  await userEvent.click(await screen.findByRole("combobox", { name: "Name of the pool" }));
  await userEvent.click(await screen.findByRole("option", { name: /big/ }));
  expect(step(0)?.pool).toBe("big");
});

it("keeps the code while one tries an image, and the share only with its strategy", async () => {
  await open(["list"]);
  await userEvent.click(screen.getByText("Image"));
  expect(step(0)?.run).toEqual({ image: "" });
  await userEvent.click(screen.getByText("Python"));
  expect(step(0)?.run).toEqual(document.steps[0]?.run);
});

it("takes the packages that code imports, and forgets an empty list", async () => {
  await open(["list"]);
  const code = document.steps[0]?.run?.code;
  await userEvent.type(screen.getByLabelText("Requirements", { selector: "input" }), "numpy>=2,<3{Enter}");
  expect(step(0)?.run).toEqual({ code, requirements: ["numpy>=2,<3"] });
  await userEvent.type(screen.getByLabelText("Requirements", { selector: "input" }), "{Backspace}");
  expect(step(0)?.run).toEqual({ code });
});

it("takes a command, for a shell or as a list, in any image", async () => {
  await open(["list"]);
  await userEvent.click(screen.getByText("Command"));
  expect(step(0)?.run).toEqual({ command: "" });
  await userEvent.type(screen.getByLabelText("Command of list"), "sort -u | wc");
  await userEvent.type(screen.getByRole("textbox", { name: "Image" }), "debian:12");
  expect(step(0)?.run).toEqual({ command: "sort -u | wc", image: "debian:12" });
  await userEvent.click(screen.getByRole("switch", { name: /A shell runs it/ }));
  expect(step(0)?.run).toEqual({ command: ["sort", "-u", "|", "wc"], image: "debian:12" });
  const list = screen.getByLabelText("Command of list");
  await userEvent.clear(list);
  await userEvent.type(list, '[["echo", "it\'s"]');
  expect(step(0)?.run?.command).toEqual(["echo", "it's"]);
  await userEvent.clear(list);
  await userEvent.type(list, "[[1]");
  expect(screen.getByRole("alert")).toHaveTextContent(/list of texts/);
  await userEvent.clear(list);
  await userEvent.type(list, '[["echo", "it\'s"]');
  await userEvent.click(screen.getByRole("switch", { name: /A shell runs it/ }));
  expect(step(0)?.run?.command).toBe("echo 'it'\\''s'");
  await userEvent.clear(screen.getByRole("textbox", { name: "Image" }));
  expect(step(0)?.run).toEqual({ command: "echo 'it'\\''s'" });
  await userEvent.click(screen.getByText("Python"));
  expect(step(0)?.run).toEqual(document.steps[0]?.run);
});

it("keeps text that is no JSON yet, tells of it, and does not take it over", async () => {
  await open(["count"]);
  const over = screen.getByLabelText("Over");
  await userEvent.clear(over);
  await userEvent.type(over, "[[1, 2");
  expect(step(1)?.over).toBeUndefined();
  expect(screen.getByRole("alert")).toHaveTextContent(/not JSON yet/);
  store.getState().select(["list"]);
  store.getState().select(["count"]);
  await waitFor(() => expect(screen.getByLabelText("Over")).toHaveValue("[1, 2"));
  await userEvent.type(screen.getByLabelText("Over"), "]");
  expect(step(1)?.over).toEqual([1, 2]);
});

it("shows what is wrong at the field, and goes there when asked", async () => {
  await open(["count"]);
  const path = "steps[1].timeout";
  store.getState().setProblems([{ path, message: "Write a duration.", step: "count" }]);
  expect(await screen.findByText("Write a duration.")).toBeVisible();
  store.getState().wantField(path);
  await waitFor(() => expect(screen.getByLabelText("Time-out")).toHaveFocus());
});

it("lets nobody change an old version", async () => {
  await open(["list"], true);
  expect(screen.getByLabelText("ID")).toBeDisabled();
  expect(screen.queryByRole("button", { name: "Delete" })).toBeNull();
});
