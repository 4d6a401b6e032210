import { describe, expect, it } from "vitest";
import { updateStep, type WorkflowDocument } from "../document";
import { createDesignerStore } from "./index";
import { faultAt, faultsByStep } from "./problemsSlice";

const document: WorkflowDocument = {
  name: "x",
  steps: [{ id: "a", type: "task", run: { code: "1" } }],
};
const open = (readOnly = false) => createDesignerStore({ document, version: 1, etag: '"1"' }, readOnly);
const rewrite = (code: string) => (current: WorkflowDocument) => updateStep(current, "a", { run: { code } });

describe("history", () => {
  it("goes back and forth, and knows when nothing is unsaved", () => {
    const store = open();
    store.getState().apply(rewrite("2"));
    store.getState().apply(rewrite("3"));
    expect(store.getState().dirty).toBe(true);
    store.getState().undo();
    expect(store.getState().document.steps[0]?.run?.code).toBe("2");
    store.getState().undo();
    expect(store.getState().dirty).toBe(false);
    store.getState().redo();
    expect(store.getState().document.steps[0]?.run?.code).toBe("2");
    store.getState().apply(rewrite("4"));
    expect(store.getState().future).toEqual([]);
  });

  it("takes keystrokes in one field as one step, until one pauses", () => {
    const store = open();
    for (const [at, code] of ["2", "22", "222"].entries())
      store.getState().apply(rewrite(code), "a:run", at * 100);
    expect(store.getState().past).toHaveLength(1);
    store.getState().apply(rewrite("3"), "a:run", 10_000);
    expect(store.getState().past).toHaveLength(2);
  });

  it("typing the old text again leaves nothing to save", () => {
    const store = open();
    store.getState().apply(rewrite("2"));
    store.getState().apply(rewrite("1"));
    expect(store.getState().dirty).toBe(false);
  });

  it("keeps what was typed while a save was under way unsaved", () => {
    const store = open();
    store.getState().apply(rewrite("2"));
    const sent = store.getState().document;
    store.getState().apply(rewrite("3"));
    store.getState().rebase({ document: sent, version: 2, etag: '"2"' });
    expect(store.getState().dirty).toBe(true);
    expect(store.getState().document.steps[0]?.run?.code).toBe("3");
  });

  it("does nothing to an old version that is only looked at", () => {
    const store = open(true);
    store.getState().apply(rewrite("2"));
    expect(store.getState().document).toBe(document);
  });

  it("does not leave a step selected that is not there any more", () => {
    const store = open();
    store.getState().select(["a"]);
    store.getState().apply((current) => ({ ...current, steps: [] }));
    expect(store.getState().selected).toEqual([]);
  });
});

describe("problems", () => {
  const problems = [
    { path: "steps[1].run", message: "one", step: "b" },
    { path: "steps[1].pool.size", message: "two", step: "b" },
    { path: "output", message: "three", step: null },
  ];

  it("are counted by step, and found by field", () => {
    expect(faultsByStep(problems)).toEqual(new Map([["b", 2]]));
    expect(faultAt(problems, "steps[1].pool")).toBe("two");
    expect(faultAt(problems, "steps[1].pool.size")).toBe("two");
    expect(faultAt(problems, "steps[1].po")).toBeUndefined();
    expect(faultAt(problems, "steps[11]")).toBeUndefined();
  });
});
