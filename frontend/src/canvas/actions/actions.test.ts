import { beforeEach, describe, expect, it, vi } from "vitest";
import type { WorkflowDocument } from "../document";
import { documentToGraph, NODE } from "../graph";
import { neighbour } from "../keyboard";
import { KINDS } from "../nodes";
import { createDesignerStore } from "../store";
import { addStep } from "./editing";
import { ACTIONS, type ActionContext, actionOf, perform } from "./index";

let context: ActionContext;
const calls = { openPalette: vi.fn(), save: vi.fn(), run: vi.fn() };
const now = () => context.store.getState();
const ids = () => now().document.steps.map(({ id }) => id);

function open(document: WorkflowDocument) {
  context = {
    store: createDesignerStore({ document, version: 1, etag: '"1"' }),
    canvas: () => null,
    ...calls,
  };
}

beforeEach(() => {
  vi.clearAllMocks();
  open({ name: "x", steps: [] });
});

function overlapping(): string[] {
  const { nodes } = documentToGraph(now().document);
  return nodes.flatMap((one, i) =>
    nodes
      .slice(i + 1)
      .filter(
        (other) =>
          Math.abs(one.position.x - other.position.x) < NODE.width &&
          Math.abs(one.position.y - other.position.y) < NODE.height,
      )
      .map((other) => `${one.id}/${other.id}`),
  );
}

describe("adding steps", () => {
  it("numbers them, selects the new one, and never puts one on top of another", () => {
    for (const type of ["task", "task", "map", "reduce", "task"]) addStep(context, type);
    expect(ids()).toEqual(["task", "task_2", "map", "reduce", "task_3"]);
    expect(now().selected).toEqual(["task_3"]);
    now().select(["task"]);
    addStep(context, "task");
    addStep(context, "task", { at: { x: 0, y: 0 } });
    expect(overlapping()).toEqual([]);
  });

  it("goes between two steps, and moves what comes after", () => {
    addStep(context, "task");
    addStep(context, "task", { after: "task" });
    addStep(context, "map", { edge: { source: "task", target: "task_2" } });
    expect(ids()).toEqual(["task", "map", "task_2"]);
    expect(now().document.steps.map(({ needs }) => needs)).toEqual([undefined, ["task"], ["map"]]);
    expect(overlapping()).toEqual([]);
    const [first, middle, last] = documentToGraph(now().document).nodes.map(({ position }) => position.x);
    expect((first ?? 0) < (middle ?? 0) && (middle ?? 0) < (last ?? 0)).toBe(true);
  });

  it("is one step of undo", () => {
    addStep(context, "task");
    perform(actionOf("undo"), context);
    expect(ids()).toEqual([]);
    perform(actionOf("redo"), context);
    expect(ids()).toEqual(["task"]);
  });

  it("gives every type that calls agents a default with code that has a main", () => {
    for (const kind of KINDS.filter(({ calls }) => calls)) {
      const step = kind.defaults("x", (base) => base);
      for (const { field } of kind.runs ?? []) expect(step[field]?.code).toMatch(/^def main\(/);
    }
  });
});

describe("actions", () => {
  it("delete what is selected", () => {
    addStep(context, "task");
    addStep(context, "task", { after: "task" });
    now().select([], ["task>task_2"]);
    perform(actionOf("delete"), context);
    expect(now().document.steps[1]?.needs).toEqual([]);
    now().select(["task"]);
    perform(actionOf("delete"), context);
    expect(ids()).toEqual(["task_2"]);
  });

  it("duplicate steps with the edges among them", () => {
    addStep(context, "task");
    addStep(context, "map", { after: "task" });
    now().select(["task", "map"]);
    perform(actionOf("duplicate"), context);
    expect(ids()).toEqual(["task", "map", "task_2", "map_2"]);
    expect(now().document.steps[3]?.needs).toEqual(["task_2"]);
    expect(overlapping()).toEqual([]);
  });

  it("are off when there is nothing for them to do", () => {
    const enabled = ACTIONS.filter((action) => action.enabled(now())).map(({ id }) => id);
    expect(enabled).toEqual(["add-step"]);
    expect(perform(actionOf("save"), context)).toBe(false);
    expect(calls.save).not.toHaveBeenCalled();
    addStep(context, "task");
    perform(actionOf("save"), context);
    expect(calls.save).toHaveBeenCalledOnce();
  });

  it("have hotkeys that are theirs alone", () => {
    const hotkeys = ACTIONS.map(({ hotkey }) => hotkey).filter(Boolean);
    expect(new Set(hotkeys).size).toBe(hotkeys.length);
  });
});

it("arrow keys lead to the nearest step in their direction", () => {
  addStep(context, "task");
  addStep(context, "task", { after: "task" });
  addStep(context, "map", { after: "task" });
  const { nodes } = documentToGraph(now().document);
  expect(neighbour(nodes, "task", "right")).toBe("task_2");
  expect(neighbour(nodes, "task_2", "down")).toBe("map");
  expect(neighbour(nodes, "task_2", "left")).toBe("task");
  expect(neighbour(nodes, "task", "left")).toBeNull();
});
