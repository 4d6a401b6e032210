import { afterEach, expect, it, vi } from "vitest";
import { getSteps } from "./runs";

afterEach(() => vi.unstubAllGlobals());

it("reads the steps of a run page by page", async () => {
  const next = "http://here/api/v1/runs/r/steps/?cursor=b";
  const pages: Record<string, unknown> = {
    "/api/v1/runs/r/steps/": { results: [{ id: "one" }, { id: "two" }], next, previous: null },
    "/api/v1/runs/r/steps/?cursor=b": { results: [{ id: "three" }], next: null, previous: "a" },
  };
  const fetching = vi.fn(async (url: string) => new Response(JSON.stringify(pages[url]), { status: 200 }));
  vi.stubGlobal("fetch", fetching);
  expect((await getSteps("r")).map((step) => step.id)).toEqual(["one", "two", "three"]);
  expect(fetching).toHaveBeenCalledTimes(2);
});
