import { describe, expect, it } from "vitest";
import type { Step } from "@/api/types";
import { aRun, aStep } from "@/testing/shapes";
import { iterationOf, placeOf, withInner } from "./iterations";
import { reduceRun } from "./reducer";
import type { RunEventMessage, RunLive } from "./state";

const loop = aStep("refine", { type: "loop", state: "running" });
const ids = (steps: Step[]) => steps.map(({ id, state }) => `${id} ${state}`);

function event(seq: number, name: string, data: Record<string, unknown>): RunEventMessage {
  return { type: "event", seq, event: name, at: "2026-01-20T12:00:01Z", data };
}

describe("steps inside loops", () => {
  it("are known by their path", () => {
    expect(placeOf("refine.2.improve")).toEqual({ loop: "refine", iteration: 2, own: "improve" });
    expect(placeOf("a.1.b.3.c")).toEqual({ loop: "a.1.b", iteration: 3, own: "c" });
    expect(placeOf("refine")).toBeNull();
  });

  it("tell which iteration a loop is in, or ended with", () => {
    const counts = { total: 3, completed: 3, failed: 0, running: 0 };
    expect(iterationOf({ ...loop, counts })).toBe(3);
    expect(iterationOf({ ...loop, counts, state: "completed" })).toBe(2);
    expect(iterationOf(aStep("refine", { type: "loop" }))).toBe(0);
  });

  it("stand behind their loop, and give way to the next iteration without a jump", () => {
    const first = [
      loop,
      aStep("refine.0.draft", { state: "completed" }),
      aStep("refine.0.judge", { state: "failed" }),
    ];
    const steps = [...first, aStep("after")];
    const next = withInner(steps, aStep("refine.1.draft", { state: "queued" }));
    expect(ids(next)).toEqual([
      "refine running",
      "refine.1.draft queued",
      "refine.1.judge pending",
      "after pending",
    ]);
    expect(withInner(next, aStep("refine.0.judge", { state: "completed" }))).toBe(next);
    expect(ids(withInner([loop, aStep("after")], aStep("refine.0.draft")))).toEqual([
      "refine running",
      "refine.0.draft pending",
      "after pending",
    ]);
  });

  it("come with the feed's events", () => {
    const live: RunLive = { seq: 1, run: aRun(), steps: [loop] };
    const next = reduceRun(live, [
      event(2, "step.queued", { step: aStep("refine.0.draft", { state: "queued" }) }),
      event(3, "step.completed", { step: aStep("refine.0.draft", { state: "completed" }) }),
    ]);
    expect(ids(next?.steps ?? [])).toEqual(["refine running", "refine.0.draft completed"]);
  });
});

describe("events of control", () => {
  const map = aStep("m", {
    type: "map",
    state: "completed",
    counts: { total: 4, completed: 3, failed: 1, running: 0 },
  });
  const live: RunLive = {
    seq: 1,
    run: aRun({ state: "completed" }),
    steps: [map, aStep("sum", { state: "completed", needs: ["m"] }), aStep("refine.0.x")],
  };

  it("tell progress and settings of the step that they name", () => {
    const next = reduceRun(live, [
      event(2, "step.progress", { step: "m", progress: 0.4 }),
      event(3, "step.changed", { step: "m", settings: { max_parallel: 3 }, run: aRun() }),
    ]);
    expect(next?.steps[0]).toMatchObject({ progress: 0.4, settings: { max_parallel: 3 } });
  });

  it("hold a run and let it go on", () => {
    const held = reduceRun(live, [event(2, "run.pause_requested", { run: aRun() })]);
    expect(held?.run.pause_requested_at).toBe("2026-01-20T12:00:01Z");
    const on = reduceRun(held, [event(3, "run.resume_requested", { run: aRun() })]);
    expect(on?.run.pause_requested_at).toBeNull();
  });

  it("start over what is tried again: a map keeps the items that completed", () => {
    const run = aRun({ state: "pending" });
    const next = reduceRun(live, [event(2, "run.retried", { run, steps: ["m", "sum"] })]);
    expect(next?.run.state).toBe("pending");
    expect(ids(next?.steps ?? [])).toEqual(["m queued", "sum pending"]);
    expect(next?.steps[0]?.counts).toEqual({ total: 4, completed: 3, failed: 0, running: 0 });
  });
});
