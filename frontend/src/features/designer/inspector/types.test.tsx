/** The fields of every type of step, and what they write into the document. */
import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { ActionContext } from "@/canvas/actions";
import { findStep, type Step, type WorkflowDocument } from "@/canvas/document";
import { KINDS } from "@/canvas/nodes";
import { createDesignerStore, DesignerProvider, type DesignerStore } from "@/canvas/store";
import { faultsOf, renderPage } from "@/testing/render";
import { ActionsProvider } from "../actionContext";
import { Inspector } from "./Inspector";

let store: DesignerStore;
const step = (id = "x") => findStep(store.getState().document, id) as Step;

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

const schema = {
  type: "object",
  properties: { root: { type: "string", title: "Root" }, limit: { type: "integer", default: 5 } },
  required: ["root"],
};

function answer(url: string): unknown {
  const page = (results: unknown[]) => ({ results, next: null, previous: null });
  if (url.includes("/versions/")) return page([{ version: 2 }, { version: 1 }]);
  if (url.includes("workflows/census/")) return { name: "census", version: 2, document: { params: schema } };
  if (url.includes("workflows/")) return page([{ name: "census" }, { name: "other" }]);
  return page([]);
}

beforeEach(() => vi.stubGlobal("fetch", async (url: unknown) => Response.json(answer(String(url)))));
afterEach(() => vi.unstubAllGlobals());

const others: Step[] = [
  { id: "a", type: "task", run: { code: "def main(): pass" } },
  { id: "b", type: "task", run: { code: "def main(): pass" } },
];

async function open(
  one: Step,
  {
    readOnly = false,
    tryStep = vi.fn(),
  }: { readOnly?: boolean | string; tryStep?: (id: string) => void } = {},
) {
  const document: WorkflowDocument = { name: "w", steps: [one, ...others] };
  store = createDesignerStore({ document, version: 1, etag: '"1"' }, readOnly);
  store.getState().select([one.id]);
  const context: ActionContext = {
    store,
    canvas: () => null,
    openPalette: () => undefined,
    save: () => undefined,
    run: () => undefined,
    tryStep,
  };
  return renderPage(
    <DesignerProvider value={store}>
      <ActionsProvider value={context}>
        <Inspector />
      </ActionsProvider>
    </DesignerProvider>,
  );
}

const fresh = (type: string) =>
  (KINDS.find((kind) => kind.type === type) ?? KINDS[0])?.defaults("x", (base) => base) as Step;
const section = (name: string) => within(screen.getByRole("region", { name }));

async function retype(field: HTMLElement, text: string) {
  await userEvent.clear(field);
  if (text) await userEvent.type(field, text.replace(/[{[]/g, "$&$&"));
  await userEvent.tab();
}

async function pick(name: string, option: string) {
  await userEvent.click(screen.getByRole("combobox", { name }));
  await userEvent.click(await screen.findByRole("option", { name: option }));
}

describe.each(KINDS.map(({ type }) => [type]))("%s", (type) => {
  it("shows its fields, changes nothing by showing them, and axe minds none", async () => {
    const one = fresh(type);
    const { container } = await open(one);
    expect(await faultsOf(container)).toEqual([]);
    expect(step()).toBe(one);
    expect(store.getState().dirty).toBe(false);
  });
});

describe("what every step has", () => {
  it("a condition, written bare; whether it always runs; what undoes it", async () => {
    await open(fresh("task"));
    await retype(screen.getByLabelText("When"), "params.n > 3");
    expect(step().when).toBe("${params.n > 3}");
    await retype(screen.getByLabelText("When"), "false");
    expect(step().when).toBe(false);
    await retype(screen.getByLabelText("When"), "");
    expect(step()).not.toHaveProperty("when");
    const always = screen.getByRole("switch", { name: /Always run/ });
    await userEvent.click(always);
    expect(step().always_run).toBe(true);
    await userEvent.click(always);
    expect(step()).not.toHaveProperty("always_run");
    await pick("Undone by", "b");
    expect(step().compensate).toBe("b");
  });

  it("an id that cannot be taken stays as it was typed, with the reason", async () => {
    await open(fresh("task"));
    await retype(screen.getByLabelText("ID"), "1st step");
    expect(screen.getByLabelText("ID")).toHaveValue("1st step");
    expect(screen.getByText(/A letter or _ first/)).toBeVisible();
    expect(store.getState().unreadable["x:id"]?.fault.message).toMatch(/1st step cannot be the id/);
    store.getState().select(["a"]);
    await waitFor(() => expect(screen.getByLabelText("ID")).toHaveValue("a"));
    store.getState().select(["x"]);
    await waitFor(() => expect(screen.getByLabelText("ID")).toHaveValue("1st step"));
    await userEvent.type(screen.getByLabelText("ID"), "{Escape}");
    expect(screen.getByLabelText("ID")).toHaveValue("x");
    expect(store.getState().unreadable).toEqual({});
  });

  it("nothing that can be changed by those who may only look", async () => {
    await open(fresh("task"), { readOnly: "You are a viewer." });
    expect(screen.getByLabelText("ID")).toBeDisabled();
    expect(screen.queryByRole("button", { name: "Try step" })).toBeNull();
  });
});

describe("what steps that call agents have", () => {
  it("retries with their errors, and time-outs of an attempt and in total", async () => {
    await open(fresh("task"));
    const errors = section("Errors");
    await retype(errors.getByLabelText("Time-out"), "90s");
    await retype(errors.getByLabelText("In total"), "10m");
    await retype(errors.getByLabelText("Attempts"), "3");
    await userEvent.type(
      errors.getByLabelText("Only after these errors", { selector: "input" }),
      "TimeoutError{Enter}",
    );
    await retype(errors.getByLabelText("First wait"), "2s");
    expect(step()).toMatchObject({
      timeout: "90s",
      total_timeout: "10m",
      retry: { max_attempts: 3, retry_on: ["TimeoutError"], delay: "2s" },
    });
    await pick("When it fails", "Record it and go on; the output is null");
    expect(step().error_strategy).toBe("continue");
  });

  it("fields that leave the document when they are set to what they are anyway", async () => {
    await open({
      ...fresh("map"),
      batch_size: 10,
      as: "path",
      error_strategy: "continue",
      retry: { max_attempts: 3, delay: "5s", backoff: "linear" },
    });
    await retype(screen.getByLabelText("Batch size"), "1");
    await retype(screen.getByLabelText("Name of an element"), "item");
    await pick("When an item fails", "Stop at the first failure");
    await retype(screen.getByLabelText("First wait"), "1s");
    await pick("Wait between attempts", "Doubles each time");
    await retype(screen.getByLabelText("Attempts"), "1");
    expect(step()).toEqual(fresh("map"));
  });

  it("a number that begins with the usual one can be typed", async () => {
    await open(fresh("map"));
    await userEvent.type(screen.getByLabelText("Batch size"), "12");
    expect(step().batch_size).toBe(12);
  });

  it("a button that tries them, which the others have not", async () => {
    const tryStep = vi.fn();
    const { unmount } = await open(fresh("task"), { tryStep });
    await userEvent.click(screen.getByRole("button", { name: "Try step" }));
    expect(tryStep).toHaveBeenCalledWith("x");
    unmount();
    await open(fresh("wait"), { tryStep });
    expect(screen.queryByRole("button", { name: "Try step" })).toBeNull();
  });
});

it("a map's share comes and goes with its strategy", async () => {
  await open(fresh("mapreduce"));
  await pick("When an item fails", "Go on while enough succeed");
  expect(step()).toMatchObject({ error_strategy: "continue_on_partial", min_success_rate: 0.95 });
  await pick("When an item fails", "Go on; failed items give null");
  expect(step()).not.toHaveProperty("min_success_rate");
});

it("a map-reduce may do without its reducer, and get it back", async () => {
  const one = fresh("mapreduce");
  await open(one);
  await userEvent.click(section("Reducer").getByRole("button", { name: "Remove" }));
  expect(step()).not.toHaveProperty("reducer");
  await userEvent.click(section("Reducer").getByRole("button", { name: "Add a reducer" }));
  expect(step().reducer).toEqual(one.reducer);
});

it("a reduce streams, or waits", async () => {
  await open(fresh("reduce"));
  const stream = screen.getByRole("switch", { name: /Take results as they come/ });
  await userEvent.click(stream);
  expect(step().streaming).toBe(true);
  await userEvent.click(stream);
  expect(step()).not.toHaveProperty("streaming");
});

it("a branch has cases with conditions and targets, in an order, and an else", async () => {
  await open(fresh("branch"));
  await retype(screen.getByLabelText("When of case 1"), "steps.a.output > 1");
  await pick("Steps of case 1", "a");
  await pick("Steps when no case holds", "b");
  await userEvent.click(screen.getByRole("button", { name: "Add case" }));
  await userEvent.click(screen.getByRole("button", { name: "Move case 2 up" }));
  expect(step()).toMatchObject({
    cases: [
      { when: true, then: [] },
      { when: "${steps.a.output > 1}", then: ["a"] },
    ],
    else: ["b"],
  });
  await userEvent.click(screen.getByRole("button", { name: "Remove case 1" }));
  expect(step().cases).toHaveLength(1);
  expect(screen.getByRole("button", { name: "Remove case 1" })).toBeDisabled();
});

it("a loop has a condition, rounds and a first item, and opens", async () => {
  await open(fresh("loop"));
  await retype(screen.getByLabelText("Until"), "steps.work.output.round > 4");
  await retype(screen.getByLabelText("Rounds at most"), "7");
  expect(step()).toMatchObject({ until: "${steps.work.output.round > 4}", max_iterations: 7 });
  await retype(screen.getByLabelText("Rounds at most"), "100");
  expect(step()).not.toHaveProperty("max_iterations");
  await userEvent.click(screen.getByRole("button", { name: "Open loop" }));
  expect(store.getState().scope).toEqual(["x"]);
  expect(await screen.findByText("Loop · you are inside it")).toBeVisible();
  await userEvent.click(screen.getByRole("button", { name: "work" }));
  expect(store.getState().selected).toEqual(["work"]);
  await waitFor(() => expect(screen.getByLabelText("ID")).toHaveValue("work"));
  await retype(screen.getByLabelText("ID"), "toil");
  expect(step().until).toBe("${steps.toil.output.round > 4}");
  expect(store.getState().scope).toEqual(["x"]);
});

it("a sub-workflow is chosen among the team's, and asks for its params", async () => {
  await open(fresh("workflow"));
  expect(screen.getByText("Choose the workflow that this step runs.")).toBeVisible();
  await userEvent.click(screen.getByRole("combobox", { name: "Workflow" }));
  await userEvent.click(await screen.findByRole("option", { name: "census" }));
  expect(step().workflow).toBe("census");
  const params = section("Params");
  expect(await params.findByText("The workflow needs this.")).toBeVisible();
  await userEvent.type(params.getByLabelText(/Root/, { selector: "input" }), "${{params.root}");
  await userEvent.type(params.getByLabelText("limit", { selector: "input" }), "12");
  expect(step().params).toEqual({ root: "${params.root}", limit: 12 });
  await pick("Version", "Version 1");
  expect(step().version).toBe(1);
  await pick("Version", "The newest when it starts");
  expect(step()).not.toHaveProperty("version");
});

it("an approval names who decides, until when, and what silence means", async () => {
  await open(fresh("approval"));
  const who = screen.getByLabelText("Who may decide", { selector: "input" });
  await userEvent.type(who, "user:ada{Enter}");
  expect(step().approvers).toEqual(["role:operator", "user:ada"]);
  await userEvent.type(who, "somebody{Enter}");
  expect(screen.getByText("somebody is neither role:… nor user:….")).toBeVisible();
  expect(step().approvers).toEqual(["role:operator", "user:ada"]);
  await retype(screen.getByLabelText("Deadline"), "24h");
  await pick("After it, it is", "Approved");
  await pick("When it is rejected", "Go on; the output tells");
  expect(step()).toMatchObject({ timeout: "24h", on_timeout: "approve", on_reject: "continue" });
  await userEvent.click(screen.getByRole("button", { name: "Add a form" }));
  const form = screen.getByLabelText("Fields, as a JSON Schema");
  await retype(form, "[1]");
  expect(screen.getByRole("alert")).toHaveTextContent(/A form is a JSON Schema/);
  expect(step()).not.toHaveProperty("form");
});

it("a wait has one reason, and keeps the others while one looks", async () => {
  await open(fresh("wait"));
  await retype(screen.getByLabelText("Duration", { selector: "input" }), "10m");
  await userEvent.click(screen.getByText("For an event"));
  await retype(screen.getByLabelText("Name of the event", { selector: "input" }), "delivered");
  await retype(screen.getByLabelText("Wait at most"), "1h");
  expect(step()).toEqual({ id: "x", type: "wait", event: "delivered", timeout: "1h" });
  await userEvent.click(screen.getByText("Until a time"));
  expect(step()).toEqual({ id: "x", type: "wait", until: "" });
  await userEvent.click(screen.getByText("For a while"));
  expect(step()).toEqual({ id: "x", type: "wait", duration: "10m" });
});

it("the workflow itself has limits for its runs", async () => {
  await open(fresh("task"));
  store.getState().select([]);
  await screen.findByRole("heading", { name: "Workflow" });
  const runs = section("Runs");
  await retype(runs.getByLabelText("Time-out"), "2h");
  await retype(runs.getByLabelText("Priority"), "-5");
  await retype(runs.getByLabelText("Runs at once"), "2");
  await pick("After a step failed", "Go on with what does not need it");
  expect(store.getState().document).toMatchObject({
    timeout: "2h",
    priority: -5,
    max_concurrent_runs: 2,
    failure_strategy: "continue",
  });
  await retype(runs.getByLabelText("Priority"), "0");
  await pick("After a step failed", "Stop the rest");
  expect(store.getState().document).not.toHaveProperty("priority");
  expect(store.getState().document).not.toHaveProperty("failure_strategy");
});
