import { describe, expect, it } from "vitest";
import { readDocument, type WorkflowDocument } from "./document";
import { applyGraphChange, columnsOf, documentToGraph, refusal } from "./graph";
import { layOut } from "./layout";
import { renameStep } from "./renaming";

const census: WorkflowDocument = {
  name: "census",
  steps: [
    { id: "list", type: "task", run: { code: "def main(root): ..." }, input: { root: "${params.root}" } },
    {
      id: "count",
      type: "map",
      needs: ["list"],
      over: "${steps.list.output}",
      run: { code: "def main(path): ...  # steps.list" },
      input: { path: "${item}", of: "${size(steps.list.output)} of steps.list" },
    },
    { id: "total", type: "reduce", needs: ["count", "list"], run: { image: "aggregator:latest" } },
  ],
  output: "${steps['list'].output}",
  layout: { list: { x: 0, y: 0 }, count: { x: 320, y: 8 }, total: { x: 640, y: 0 } },
};

describe("documentToGraph", () => {
  it("gives a node for each step where the layout says, and an edge for each need", () => {
    const { nodes, edges } = documentToGraph(census);
    expect(nodes.map(({ id, position }) => [id, position.x])).toEqual([
      ["list", 0],
      ["count", 320],
      ["total", 640],
    ]);
    expect(edges.map(({ id }) => id)).toEqual(["list>count", "count>total", "list>total"]);
  });

  it("puts steps without a place in columns, and leaves the document as it is", () => {
    const bare = { ...census, layout: undefined };
    const places = documentToGraph(bare).nodes.map(({ position }) => position);
    expect(places[0]?.x).toBeLessThan(places[1]?.x ?? 0);
    expect(places[1]?.x).toBeLessThan(places[2]?.x ?? 0);
    expect(bare.layout).toBeUndefined();
  });

  it("draws documents with faults: unknown needs, two steps of one id, loops", () => {
    const steps = [
      { id: "a", type: "task", needs: ["b", "nowhere"] },
      { id: "b", type: "odd", needs: ["a"] },
      { id: "b", type: "task" },
    ];
    const { nodes, edges } = documentToGraph({ name: "x", steps });
    expect(nodes.map(({ id }) => id)).toEqual(["a", "b"]);
    expect(edges).toHaveLength(2);
    expect([...columnsOf({ name: "x", steps }).keys()]).toEqual(["a", "b"]);
  });

  it("walks chains of thousands of steps", () => {
    const steps = Array.from({ length: 8000 }, (_, i) => ({
      id: `s${i}`,
      type: "task",
      needs: i > 0 ? [`s${i - 1}`] : [],
    }));
    expect(columnsOf({ name: "long", steps }).get("s7999")).toBe(7999);
  });
});

describe("changes of the graph", () => {
  it("come back to the document they came from", () => {
    const connected = applyGraphChange(
      { ...census, steps: census.steps.map((step) => ({ ...step, needs: [] })) },
      { kind: "connect", source: "list", target: "count" },
    );
    expect(connected.steps[1]?.needs).toEqual(["list"]);
    const cut = applyGraphChange(connected, { kind: "disconnect", source: "list", target: "count" });
    expect(cut.steps[1]?.needs).toEqual([]);
  });

  it("refuse loops and say why", () => {
    expect(refusal(census, "total", "list")).toMatch(/loop/);
    expect(refusal(census, "list", "list")).toMatch(/itself/);
    expect(refusal(census, "list", "count")).toMatch(/already/);
    expect(applyGraphChange(census, { kind: "connect", source: "total", target: "list" })).toBe(census);
  });

  it("keep every other step where it stands when one is moved", () => {
    const bare = { ...census, layout: undefined };
    const before = documentToGraph(bare).nodes;
    const after = applyGraphChange(bare, { kind: "move", places: { total: { x: 5.4, y: 900 } } });
    expect(after.layout?.total).toEqual({ x: 5, y: 900 });
    expect(documentToGraph(after).nodes.slice(0, 2)).toEqual(before.slice(0, 2));
  });

  it("take a removed step out of needs and layout", () => {
    const left = applyGraphChange(census, { kind: "remove", steps: ["list"], edges: ["count>total"] });
    expect(left.steps.map(({ id, needs }) => [id, needs])).toEqual([
      ["count", []],
      ["total", []],
    ]);
    expect(left.layout).not.toHaveProperty("list");
  });
});

describe("renameStep", () => {
  it("follows in needs, layout and expressions, and leaves code and plain text alone", () => {
    const renamed = renameStep(census, "list", "files");
    expect(renamed.steps[0]?.id).toBe("files");
    expect(renamed.steps[1]?.needs).toEqual(["files"]);
    expect(renamed.steps[1]?.over).toBe("${steps.files.output}");
    expect(renamed.steps[1]?.input).toEqual({
      path: "${item}",
      of: "${size(steps.files.output)} of steps.list",
    });
    expect(renamed.steps[1]?.run?.code).toContain("steps.list");
    expect(renamed.output).toBe("${steps['files'].output}");
    expect(renamed.layout).toHaveProperty("files");
  });

  it("quotes an id with a dash where a dash would mean minus", () => {
    const renamed = renameStep(census, "list", "all-files");
    expect(renamed.steps[1]?.over).toBe("${steps.all-files.output}");
    expect(renamed.steps[1]?.input).toHaveProperty("of", '${size(steps["all-files"].output)} of steps.list');
  });

  it("does not touch longer names that begin alike", () => {
    const document = { ...census, output: "${steps.list_2.output + steps.list-2.output}" };
    expect(renameStep(document, "list", "files").output).toBe(document.output);
  });
});

it("readDocument says why the canvas cannot draw a value", () => {
  expect(readDocument([])).toMatch(/JSON object/);
  expect(readDocument({ steps: {} })).toMatch(/list/);
  expect(readDocument({ steps: [{ type: "task" }] })).toMatch(/steps\[0\] needs an id/);
  expect(readDocument({ name: "x" })).toEqual({ name: "x", steps: [] });
});

it("layOut asks the engine for the graph's shape, and gives a place for each step", async () => {
  const asked: unknown[] = [];
  const places = await layOut(census, async (graph) => {
    asked.push(graph);
    return { ...graph, children: graph.children?.map((child, i) => ({ ...child, x: i * 10, y: 1 })) };
  });
  expect(places).toEqual({ list: { x: 0, y: 1 }, count: { x: 10, y: 1 }, total: { x: 20, y: 1 } });
  expect(asked).toMatchObject([{ edges: [{ sources: ["list:out"], targets: ["count:in"] }, {}, {}] }]);
});
