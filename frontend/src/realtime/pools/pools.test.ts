import { describe, expect, it } from "vitest";
import { aPool, anAgent } from "@/testing/shapes";
import { knownSince, noteUtilization, reloadHistory, samplesOf, WINDOW_MS } from "./history";
import { type PoolsLive, reducePools } from "./reducer";

const live: PoolsLive = {
  seq: 7,
  epoch: 1,
  pools: [aPool("census"), aPool("python")],
  agents: [anAgent("a", "census"), anAgent("b", "python")],
};

describe("the feed of pools", () => {
  it("begins with a snapshot, sorted by name", () => {
    const next = reducePools(undefined, [
      { type: "snapshot", seq: 3, epoch: 2, pools: [aPool("python"), aPool("census")], agents: [] },
    ]);
    expect(next.pools.map(({ name }) => name)).toEqual(["census", "python"]);
    expect(next).toMatchObject({ seq: 3, epoch: 2 });
  });

  it("replaces a pool that changed, adds a new one, removes one that went with its agents", () => {
    const next = reducePools(live, [
      { type: "pool.changed", seq: 8, pool: aPool("census", { waiting: 3 }) },
      { type: "pool.changed", seq: 9, pool: aPool("drawn") },
      { type: "pool.removed", seq: 10, id: aPool("python").id, name: "python" },
    ]);
    expect(next.pools.map(({ name, waiting }) => [name, waiting])).toEqual([
      ["census", 3],
      ["drawn", 0],
    ]);
    expect(next.agents.map(({ id }) => id)).toEqual(["a"]);
    expect(next.seq).toBe(10);
  });

  it("tells apart pools of two teams that have the same name", () => {
    const shared = aPool("python", { id: "theirs", team: "acme" });
    const next = reducePools(live, [
      { type: "pool.changed", seq: 8, pool: shared },
      { type: "pool.changed", seq: 9, pool: { ...shared, waiting: 4 } },
    ]);
    expect(next.pools.map(({ id, waiting }) => [id, waiting])).toEqual([
      ["id-of-census", 0],
      ["id-of-python", 0],
      ["theirs", 4],
    ]);
    const without = reducePools(next, [{ type: "pool.removed", seq: 10, id: "theirs", name: "python" }]);
    expect(without.pools.map(({ id }) => id)).toEqual(["id-of-census", "id-of-python"]);
    expect(without.agents.map(({ id }) => id)).toEqual(["a", "b"]);
  });

  it("keeps agents in their place, adds new ones last and lets the terminated go", () => {
    const next = reducePools(live, [
      { type: "agent.changed", seq: 8, agent: anAgent("a", "census", { state: "active" }) },
      { type: "agent.changed", seq: 9, agent: anAgent("c", "census", { state: "starting" }) },
      { type: "agent.changed", seq: 10, agent: anAgent("b", "python", { state: "terminated" }) },
    ]);
    expect(next.agents.map(({ id, state }) => [id, state])).toEqual([
      ["a", "active"],
      ["c", "starting"],
    ]);
  });

  it("passes over messages that it does not know", () => {
    const unknown = { type: "budget.changed", seq: 8 } as never;
    expect(reducePools(live, [unknown])).toEqual(live);
  });
});

describe("the history of a pool", () => {
  it("keeps the last minutes", () => {
    const busy = aPool("busy", { utilization: 0.5 });
    noteUtilization([busy], 1000);
    noteUtilization([{ ...busy, utilization: 1 }], 2000 + WINDOW_MS);
    expect(samplesOf("busy").map(({ utilization }) => utilization)).toEqual([1]);
    expect(samplesOf("never-seen")).toEqual([]);
  });
});

describe("what the sparklines draw", () => {
  it("is kept for the tab's session, and says since when it is known", () => {
    const now = Date.now();
    noteUtilization([aPool("kept", { waiting: 2 })], now - 60_000);
    noteUtilization([aPool("kept", { waiting: 3 })], now);
    reloadHistory();
    expect(samplesOf("kept").map(({ waiting }) => waiting)).toEqual([2, 3]);
    expect(knownSince("kept")).toBe(now - 60_000);
    expect(knownSince("nobody")).toBeNull();
  });
});
