import { describe, expect, it } from "vitest";
import { aDecision } from "@/testing/shapes";
import { fits, KEPT, merged, reduceScaling, type ScalingLive } from "./reducer";

const live: ScalingLive = { seq: 7, decisions: [aDecision(7), aDecision(6)] };
const decided = (id: number) => ({ type: "decision", seq: id, decision: aDecision(id) }) as const;

describe("the feed of decisions", () => {
  it("begins with a snapshot", () => {
    const next = reduceScaling(undefined, [{ type: "snapshot", seq: 3, decisions: [aDecision(3)] }]);
    expect(next).toEqual({ seq: 3, decisions: [aDecision(3)] });
  });

  it("puts what is new before what was known, and remembers its place", () => {
    const next = reduceScaling(live, [decided(8), decided(9)]);
    expect(next.seq).toBe(9);
    expect(next.decisions.map(({ id }) => id)).toEqual([9, 8, 7, 6]);
  });

  it("begins anew with a later snapshot, and passes over what it does not know", () => {
    const unknown = { type: "budget.changed", seq: 99 } as never;
    const next = reduceScaling(live, [decided(8), { type: "snapshot", seq: 20, decisions: [] }, unknown]);
    expect(next).toEqual({ seq: 20, decisions: [] });
  });

  it("keeps a bounded number", () => {
    const many = Array.from({ length: KEPT + 5 }, (_, index) => decided(index + 8));
    const next = reduceScaling(live, many);
    expect(next.decisions).toHaveLength(KEPT);
    expect(next.decisions[0]?.id).toBe(KEPT + 12);
  });
});

describe("lists of decisions", () => {
  it("take from the feed what the server would list", () => {
    const up = aDecision(1, { pool: "census", action: "scale_up", reason: "queue_depth" });
    expect(fits(up, {})).toBe(true);
    expect(fits(up, { pool: "census", action: "scale_up,scale_down", reason: "queue_depth" })).toBe(true);
    expect(fits(up, { pool: "other" })).toBe(false);
    expect(fits(up, { action: "hold" })).toBe(false);
    expect(fits(up, { reason: "idle" })).toBe(false);
  });

  it("show what came both ways once", () => {
    const both = merged([aDecision(3), aDecision(2)], [aDecision(2), aDecision(1)]);
    expect(both.map(({ id }) => id)).toEqual([3, 2, 1]);
  });
});
