/** Every type of step: what the canvas draws of it, and that drawing never costs a field. */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { rerouted, waysTo } from "./branches";
import { copied, pasted } from "./copying";
import {
  allSteps,
  findStep,
  freshId,
  pathOf,
  readDocument,
  removeSteps,
  type Step,
  updateStep,
  type WorkflowDocument,
} from "./document";
import { ancestorsOf, applyGraphChange, columnsOf, documentToGraph, refusal, settled } from "./graph";
import { KINDS } from "./nodes";
import { insertBetween } from "./placement";
import { renameStep } from "./renaming";
import { changedInside, inside, scopeLeft, scopeOf } from "./scope";
import { suggestionsFor } from "./suggestions";

const EXAMPLES = resolve(import.meta.dirname, "../../../examples");

const examples = readdirSync(EXAMPLES)
  .filter((file) => file.endsWith(".yaml"))
  .map((file): [string, WorkflowDocument] => {
    const document = readDocument(parse(readFileSync(join(EXAMPLES, file), "utf8")));
    if (typeof document === "string") throw new Error(`${file}: ${document}`);
    return [file, document];
  });

/** The document's own graph, and those inside loops. */
function graphsOf(document: WorkflowDocument): (readonly string[])[] {
  const loops = [...allSteps(document.steps)].filter(({ step }) => step.type === "loop");
  return [[], ...loops.map(({ step }) => [...(scopeOf(document, step.id) ?? []), step.id])];
}

const steps = (document: WorkflowDocument) => JSON.stringify(document.steps);

describe.each(examples)("%s", (_file, document) => {
  it("has a node for each step, and an edge for each word on what comes before what", () => {
    for (const scope of graphsOf(document)) {
      const open = inside(document, scope);
      const { nodes, edges } = documentToGraph(open);
      expect(nodes.map(({ id }) => id)).toEqual(open.steps.map(({ id }) => id));
      for (const step of open.steps) {
        for (const need of step.needs ?? [])
          expect(edges.map(({ id }) => id)).toContain(`${need}>${step.id}`);
        if (step.compensate) expect(edges.map(({ id }) => id)).toContain(`${step.id}~${step.compensate}`);
      }
    }
  });

  it("keeps every field when steps are placed, moved, cut apart and connected again", () => {
    for (const scope of graphsOf(document)) {
      const before = steps(document);
      expect(steps(changedInside(document, scope, settled))).toBe(before);
      const { edges } = documentToGraph(inside(document, scope));
      for (const { source, target, kind } of edges) {
        const cut = changedInside(document, scope, (graph) =>
          applyGraphChange(graph, {
            kind: "remove",
            steps: [],
            edges: [kind === "undo" ? `${source}~${target}` : `${source}>${target}`],
          }),
        );
        expect(documentToGraph(inside(cut, scope)).edges).toHaveLength(edges.length - 1);
        if (kind === "undo") continue;
        const branch = inside(document, scope).steps.find(({ id }) => id === source);
        const way = branch ? waysTo(branch, target)[0] : undefined;
        const again = changedInside(cut, scope, (graph) =>
          applyGraphChange(graph, { kind: "connect", source, target, way }),
        );
        expect(new Set(documentToGraph(inside(again, scope)).edges.map(({ id }) => id))).toEqual(
          new Set(edges.map(({ id }) => id)),
        );
      }
    }
  });

  it("comes back from renaming each of its steps there and back", () => {
    for (const { step } of allSteps(document.steps)) {
      const there = renameStep(document, step.id, "renamed_step");
      expect(findStep(there, step.id)).toBeUndefined();
      const text = JSON.stringify({ ...there, steps: there.steps.map(withoutWords) });
      expect(text).not.toMatch(new RegExp(`steps\\.${step.id}\\b`));
      expect(renameStep(there, "renamed_step", step.id)).toEqual(document);
    }
  });

  it("gives copies that share no id with the originals, and speak of each other", () => {
    const ids = document.steps.map(({ id }) => id);
    const copy = pasted(document, [], copied(document, [], ids));
    const all = [...allSteps(copy.document.steps)].map(({ step }) => step.id);
    expect(new Set(all).size).toBe(all.length);
    expect(copy.document.steps.slice(0, ids.length)).toEqual(document.steps);
    const names = new Set(copy.ids);
    for (const one of copy.document.steps.slice(ids.length)) {
      for (const need of one.needs ?? []) expect(names).toContain(need);
    }
  });
});

/** Code is the author's own, and may speak of anything. */
function withoutWords(step: Step): Step {
  return {
    ...step,
    run: undefined,
    mapper: undefined,
    reducer: undefined,
    steps: step.steps?.map(withoutWords),
  };
}

describe("a branch", () => {
  const document: WorkflowDocument = {
    name: "x",
    steps: [
      { id: "check", type: "task", run: { code: "" } },
      {
        id: "route",
        type: "branch",
        needs: ["check"],
        cases: [
          { when: "${steps.check.output.size > 3}", then: ["large"] },
          { when: false, then: ["large", "odd"] },
        ],
        else: ["small"],
      },
      { id: "large", type: "task" },
      { id: "odd", type: "task" },
      { id: "small", type: "task" },
    ],
  };

  it("leads to its targets by edges that bear the cases; else is another way", () => {
    const ways = documentToGraph(document).edges.filter(({ kind }) => kind === "way");
    expect(ways.map(({ target, label, otherwise }) => [target, label, otherwise])).toEqual([
      ["large", "check.size > 3 or never", false],
      ["odd", "never", false],
      ["small", "else", true],
    ]);
    expect(columnsOf(document).get("small")).toBe(2);
    expect(ancestorsOf(document, "small")).toEqual(new Set(["route", "check"]));
    expect(refusal(document, "small", "check")).toMatch(/loop/);
  });

  it("takes new targets where nothing is yet, and gives them up with the edge", () => {
    const empty = updateStep(document, "route", { cases: [{ when: true, then: [] }], else: undefined });
    const one = applyGraphChange(empty, { kind: "connect", source: "route", target: "large" });
    const two = applyGraphChange(one, { kind: "connect", source: "route", target: "small" });
    expect(findStep(two, "route")).toMatchObject({ cases: [{ then: ["large"] }], else: ["small"] });
    expect(findStep(two, "small")).not.toHaveProperty("needs");
    const cut = applyGraphChange(two, { kind: "disconnect", source: "route", target: "small" });
    expect(findStep(cut, "route")).not.toHaveProperty("else");
    expect(rerouted(findStep(two, "route") as Step, "small", [0])).toMatchObject({
      cases: [{ then: ["large", "small"] }],
    });
  });

  it("leads to a step that is put between, and forgets one that is removed", () => {
    const between = insertBetween(document, { id: "new", type: "task" }, "route", "small");
    expect(findStep(between, "route")?.else).toEqual(["new"]);
    expect(findStep(between, "small")?.needs).toEqual(["new"]);
    expect(findStep(between, "new")).not.toHaveProperty("needs");
    const less = removeSteps(document, ["large", "small"]);
    expect(findStep(less, "route")?.cases?.map(({ then }) => then)).toEqual([[], ["odd"]]);
    expect(findStep(less, "route")).not.toHaveProperty("else");
  });
});

describe("a loop", () => {
  const document: WorkflowDocument = {
    name: "x",
    steps: [
      { id: "draft", type: "task", run: { code: "" } },
      {
        id: "refine",
        type: "loop",
        needs: ["draft"],
        until: "${steps.judge.output.ok}",
        steps: [
          { id: "write", type: "task", input: "${steps.draft.output}" },
          { id: "judge", type: "task", needs: ["write"], input: "${steps.write.output}" },
        ],
      },
    ],
    output: "${steps.refine.output}",
  };

  it("is one node outside, and a graph of its own inside", () => {
    expect(documentToGraph(document).nodes).toHaveLength(2);
    expect(documentToGraph(inside(document, ["refine"])).edges.map(({ id }) => id)).toEqual(["write>judge"]);
    expect(pathOf(document, "judge")).toBe("steps[1].steps[1]");
    expect(scopeOf(document, "judge")).toEqual(["refine"]);
    expect(scopeLeft(removeSteps(document, ["refine"]), ["refine"])).toEqual([]);
    expect(inside(document, ["refine"])).toBe(inside(document, ["refine"]));
  });

  it("changes inside leave what is around as it was", () => {
    const moved = changedInside(document, ["refine"], (graph) =>
      applyGraphChange(graph, { kind: "move", places: { write: { x: 8, y: 16 } } }),
    );
    expect(moved.layout?.write).toEqual({ x: 8, y: 16 });
    expect(moved.steps).toEqual(document.steps);
    const less = changedInside(document, ["refine"], (graph) => removeSteps(graph, ["write"]));
    expect(findStep(less, "judge")?.needs).toEqual([]);
    expect(less.steps[0]).toBe(document.steps[0]);
  });

  it("follows renamed steps through its condition and its steps", () => {
    const renamed = renameStep(renameStep(document, "judge", "verdict"), "draft", "first");
    expect(findStep(renamed, "refine")).toMatchObject({
      until: "${steps.verdict.output.ok}",
      needs: ["first"],
      steps: [{ input: "${steps.first.output}" }, { id: "verdict" }],
    });
  });

  it("gives ids that are new in the whole document, and copies whole", () => {
    expect(freshId(document, "judge")).toBe("judge_2");
    const { document: twice } = pasted(document, [], copied(document, [], ["refine"]));
    expect(twice.steps[2]).toMatchObject({
      id: "refine_2",
      needs: ["draft"],
      until: "${steps.judge_2.output.ok}",
      steps: [{ id: "write_2" }, { id: "judge_2", needs: ["write_2"] }],
    });
  });

  it("knows what its steps may name", () => {
    const names = (id: string, field: "until" | "other" = "other") =>
      suggestionsFor(document, findStep(document, id) ?? null, field).map(({ text }) => text);
    expect(names("judge")).toEqual(
      expect.arrayContaining(["${item}", "${index}", "${steps.write.output}", "${steps.draft.output}"]),
    );
    expect(names("refine", "until")[0]).toBe("${steps.write.output}");
    expect(names("write")).not.toContain("${steps.judge.output}");
  });
});

it("undoing is a back edge that carries no waiting", () => {
  const document: WorkflowDocument = {
    name: "x",
    steps: [
      { id: "book", type: "task", compensate: "cancel" },
      { id: "pay", type: "task", needs: ["book"] },
      { id: "cancel", type: "task" },
    ],
  };
  const { edges } = documentToGraph(document);
  expect(edges.find(({ kind }) => kind === "undo")).toMatchObject({ source: "book", target: "cancel" });
  expect(refusal(document, "pay", "cancel")).toMatch(/only undoes/);
  expect(ancestorsOf(document, "cancel")).toEqual(new Set(["book"]));
  const cut = applyGraphChange(document, { kind: "remove", steps: [], edges: ["book~cancel"] });
  expect(cut.steps[0]).not.toHaveProperty("compensate");
});

it("a streaming reduce says so on its edge", () => {
  const steps: Step[] = [
    { id: "m", type: "map" },
    { id: "r", type: "reduce", needs: ["m"], streaming: true },
  ];
  expect(documentToGraph({ name: "x", steps }).edges[0]?.kind).toBe("stream");
});

it("every type describes a step that lacks everything", () => {
  for (const kind of KINDS) {
    const step = { id: "x", type: kind.type };
    expect(kind.line(step)).toBeTypeOf("string");
    expect(kind.note?.(step) ?? "").toBeTypeOf("string");
    const fresh = kind.defaults("x", (base) => base);
    expect(readDocument({ name: "x", steps: [fresh] })).toEqual({ name: "x", steps: [fresh] });
  }
});
