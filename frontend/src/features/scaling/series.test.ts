import { describe, expect, it } from "vitest";
import { aDecision, signals } from "@/testing/shapes";
import { marksOf, seriesOf } from "./series";

const START = 1_800_000_000;
const at = (offset: number) => new Date((START + offset) * 1000).toISOString();
const first = aDecision(1, {
  at: at(0),
  target_size: 3,
  signals: signals({ ready: 1, starting: 1, leased: 1, waiting: 4 }),
});
const held = aDecision(2, {
  at: at(60),
  action: "hold",
  target_size: 3,
  signals: signals({ ready: 3, leased: 2 }),
});
const sample = {
  at: (START + 90) * 1000,
  utilization: 1,
  active: 3,
  size: 3,
  waiting: 1,
  leases: 3,
  target: 4,
};

describe("what the chart draws", () => {
  it("takes from decisions and from the live view, up to now", () => {
    const { lines, data } = seriesOf([first, held], [sample], START - 10, START + 100);
    expect(lines.map(({ name }) => name)).toEqual(["size", "target", "load"]);
    expect(data).toEqual([
      [START, START + 60, START + 90, START + 100],
      [2, 3, 3, 3],
      [3, 3, 4, 4],
      [5, 2, 4, 4],
    ]);
  });

  it("leaves out what is older than is shown", () => {
    const { data } = seriesOf([first, held], [], START + 30, START + 60);
    expect(data[0]).toEqual([START + 60]);
  });

  it("shows a forecast where there is one, held until the next decision", () => {
    const forecast = { floor: 4, quantile: 0.9, coverage: 0.88, load: 3.4, forecaster: "seasonal" };
    const seen = { ...first, signals: signals({ forecast }) };
    const { lines, data } = seriesOf([seen], [sample], START, START + 90);
    expect(lines.at(-1)?.name).toBe("forecast");
    expect(data.at(-1)).toEqual([3.4, 3.4]);
  });

  it("keeps a policy in shadow apart from the pool's own target", () => {
    const shadow = aDecision(3, {
      at: at(0),
      mode: "shadow",
      target_size: 9,
      signals: signals({ target: 2 }),
    });
    const { lines, data } = seriesOf([shadow], [], START, START);
    expect(lines.map(({ name }) => name)).toEqual(["size", "target", "load", "target in shadow"]);
    expect([data[2], data[4]]).toEqual([[2], [9]]);
  });

  it("marks changes, and a hold only while it is chosen", () => {
    expect(marksOf([first, held], undefined).map(({ id }) => id)).toEqual([1]);
    expect(marksOf([first, held], 2).map(({ id, chosen }) => [id, chosen])).toEqual([
      [1, false],
      [2, true],
    ]);
    expect(marksOf([{ ...first, action: "scale_down" }], undefined)[0]).toMatchObject({
      up: false,
      value: 3,
    });
  });
});
