import { describe, expect, it } from "vitest";
import { aRun, aStep } from "@/testing/shapes";
import { handlers } from "./handlers";
import { itemChanges, reduceRun } from "./reducer";
import type { RunEventMessage, RunLive, RunSnapshot } from "./state";

function event(seq: number, name: string, data: Record<string, unknown>): RunEventMessage {
  return { type: "event", seq, event: name, at: "2026-01-20T12:00:01Z", data };
}

const snapshot: RunSnapshot = {
  type: "snapshot",
  seq: 4,
  run: aRun(),
  steps: [aStep("list"), aStep("count", { type: "map" })],
};
const live: RunLive = { seq: 4, run: snapshot.run, steps: snapshot.steps };

const EVENTS = [
  "run.created run.started run.completed run.failed run.cancelled run.cancel_requested",
  "run.paused run.waiting run.resumed run.retried run.prioritized run.signalled",
  "run.pause_requested run.resume_requested",
  "step.queued step.started step.completed step.failed step.skipped step.cancelled step.retrying items.changed",
  "step.waiting step.reducing step.read step.iterated step.compensated step.progress step.changed step.decided",
].flatMap((names) => names.split(" "));

describe("the feed of a run", () => {
  it("has one handler for every event that the server sends", () => {
    expect(Object.keys(handlers).sort()).toEqual([...EVENTS].sort());
  });

  it("begins with a snapshot", () => {
    expect(reduceRun(undefined, [snapshot])).toEqual(live);
  });

  it("knows nothing before the snapshot", () => {
    expect(reduceRun(undefined, [event(5, "run.started", { run: aRun() })])).toBeUndefined();
  });

  it("takes steps and runs from their events, and keeps what events leave out", () => {
    const known: RunLive = { ...live, steps: [aStep("list", { input: { root: "/" } }), aStep("count")] };
    const next = reduceRun(known, [
      event(5, "step.completed", { step: aStep("list", { state: "completed" }) }),
      event(6, "run.completed", { run: { ...aRun({ state: "completed" }) } }),
    ]);
    expect(next?.seq).toBe(6);
    expect(next?.run.state).toBe("completed");
    expect(next?.steps[0]).toMatchObject({ state: "completed", input: { root: "/" } });
    expect(next?.steps[1]).toBe(known.steps[1]);
  });

  it("takes an event that comes twice once", () => {
    const started = event(5, "step.started", { step: aStep("list", { state: "running" }) });
    const done = event(6, "step.completed", { step: aStep("list", { state: "completed" }) });
    const next = reduceRun(live, [started, done, started]);
    expect(next?.steps[0]?.state).toBe("completed");
    expect(next?.seq).toBe(6);
  });

  it("goes on after an event that it does not know", () => {
    const next = reduceRun(live, [event(5, "run.rated", {}), event(6, "run.cancel_requested", {})]);
    expect(next?.seq).toBe(6);
    expect(next?.run.cancel_requested_at).toBe("2026-01-20T12:00:01Z");
  });

  it("moves a map's figures, and tells which items changed last", () => {
    const counts = { total: 10, completed: 3, failed: 1, running: 2 };
    const messages = [
      event(5, "items.changed", { step: aStep("count"), items: [[0, "running", 1]] }),
      event(6, "items.changed", {
        step: aStep("count", { counts }),
        items: [
          [0, "completed", 1],
          [1, "failed", 2],
        ],
      }),
    ];
    expect(reduceRun(live, messages)?.steps[1]?.counts).toEqual(counts);
    expect([...(itemChanges(messages).get("count")?.values() ?? [])]).toEqual([
      [0, "completed", 1],
      [1, "failed", 2],
    ]);
  });

  it("keeps the values of steps over a new snapshot", () => {
    const known: RunLive = { ...live, steps: [aStep("list", { output: [1, 2] }), aStep("count")] };
    const next = reduceRun(known, [{ ...snapshot, seq: 9 }]);
    expect(next).toMatchObject({ seq: 9, steps: [{ id: "list", output: [1, 2] }, { id: "count" }] });
  });
});
