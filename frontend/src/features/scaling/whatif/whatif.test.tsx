import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Simulation } from "@/api/types";
import { stubApi } from "@/testing/api";
import { faultsOf, renderPage } from "@/testing/render";
import { aPerson, aSimulation, aVerdict } from "@/testing/shapes";
import { dotsOf, placed } from "./pareto";
import { WhatIf } from "./WhatIf";

afterEach(() => vi.unstubAllGlobals());

const done = aSimulation();
const AT = `GET simulations/${done.id}/`;

async function show(
  list: Simulation[],
  answers: Record<string, unknown> = {},
  statuses = {},
  role = "editor",
) {
  const sent = stubApi(
    { "GET me/": aPerson(role), "GET simulations/": { results: list }, ...answers },
    statuses,
  );
  const view = await renderPage(<WhatIf pool="census" />, "/scaling/census?tab=what-if");
  await screen.findByRole("button", { name: "Run" });
  return { ...view, sent, person: userEvent.setup() };
}

const run = () => userEvent.click(screen.getByRole("button", { name: "Run" }));

describe("what if", () => {
  it("says what it is for while nothing was simulated", async () => {
    const { container } = await show([]);
    expect(await screen.findByText(/each is replayed against the same arrivals/)).toBeVisible();
    expect(await faultsOf(container)).toEqual([]);
  });

  it("replays the pool's history under the chosen policies, and keeps the result's address", async () => {
    const { sent, person, router } = await show([], { "POST simulations/": done, [AT]: done });
    await person.click(screen.getByRole("checkbox", { name: "Knative" }));
    await person.click(screen.getByRole("checkbox", { name: "Fixed size" }));
    await run();
    await waitFor(() =>
      expect(sent["POST simulations/"]).toEqual({
        pool: "census",
        policies: ["current", "balanced", "aggressive", "conservative", "hpa", "kpa"],
        seeds: 3,
        hours: 24,
        slo_wait: 1,
      }),
    );
    await waitFor(() => expect(router.state.location.search).toMatchObject({ simulation: done.id }));
    expect(await screen.findByRole("table", { name: /What each policy/ })).toBeVisible();
  });

  it("takes a trace out of a file, and conditions of one's own", async () => {
    const { sent, person } = await show([], { "POST simulations/": done, [AT]: done });
    await person.click(screen.getByRole("radio", { name: "A CSV file" }));
    await run();
    expect(await screen.findByText("Choose a file.")).toBeVisible();
    const text = "second_offset,count\n0,5\n";
    const file = new File([text], "day.csv", { type: "text/csv" });
    file.text = async () => text; // jsdom's has none
    await person.upload(document.querySelector("input[type=file]") as HTMLInputElement, file);
    await person.click(screen.getByRole("button", { name: "Conditions" }));
    await person.type(await screen.findByLabelText("Length of a lease"), "4");
    await run();
    await waitFor(() =>
      expect(sent["POST simulations/"]).toMatchObject({
        trace: "second_offset,count\n0,5\n",
        service_mean: 4,
      }),
    );
    expect(sent["POST simulations/"]).not.toHaveProperty("hours");
  });

  it("tells at the field why it was refused", async () => {
    const errors = [
      { path: "pool", message: "Nothing is known of arrivals there yet.", step: null },
      { path: "price", message: "A finite number, not below 0, is expected here.", step: null },
    ];
    await show([], { "POST simulations/": { detail: "Not valid.", errors } }, { "POST simulations/": 400 });
    await run();
    expect(await screen.findByText("Nothing is known of arrivals there yet.")).toBeVisible();
    expect(await screen.findByLabelText("Price")).toBeInvalid();
    expect(screen.queryByRole("alert")).toBeNull();
  });

  it("shows the newest result as a picture and a table with units", async () => {
    const { container } = await show([done], { [AT]: done });
    const table = within(await screen.findByRole("table", { name: /What each policy/ }));
    const row = within(table.getByText("Fixed size").closest("tr") as HTMLTableRowElement);
    for (const text of ["100.00 %", "10.00", "$1.00", "1.4 s"])
      expect(row.getByText(text)).toBeInTheDocument();
    expect(table.getAllByTitle("± 0.20 % over 3 draws")).toHaveLength(2);
    expect(screen.getByRole("img")).toHaveAccessibleName(/better in both than Balanced, Fixed size/);
    expect(screen.getByText(/keep 1.50 agents busy on average/)).toBeVisible();
    expect(await faultsOf(container)).toEqual([]);
  });

  it("tells how far it is, then shows the results by itself", async () => {
    const half = aSimulation({ state: "running", progress: { done: 3, total: 6 }, results: null });
    const answers: Record<string, unknown> = { [AT]: half };
    await show([half], answers);
    expect(await screen.findByText("3 of 6 runs done.")).toBeVisible();
    answers[AT] = done;
    stubApi({ "GET me/": aPerson(), "GET simulations/": { results: [done] }, [AT]: done });
    expect(await screen.findByRole("table", { name: /What each policy/ })).toBeVisible();
  });

  it("tells why one failed", async () => {
    const failed = aSimulation({ state: "failed", results: null, error: "It took longer than 15 minutes." });
    await show([failed], { [AT]: failed });
    expect(await screen.findByRole("alert")).toHaveTextContent("It took longer than 15 minutes.");
  });

  it("deletes one", async () => {
    const { sent, person } = await show([done], { [AT]: done, [`DELETE simulations/${done.id}/`]: {} });
    await person.click(await screen.findByRole("button", { name: "Delete this simulation" }));
    await waitFor(() => expect(sent).toHaveProperty([`DELETE simulations/${done.id}/`]));
  });

  it("is an editor's", async () => {
    await show([], {}, {}, "viewer");
    await waitFor(() => expect(screen.getByRole("button", { name: "Run" })).toBeDisabled());
  });
});

describe("the trade-off", () => {
  const dots = dotsOf([
    aVerdict("cheap", { agent_seconds: 3600, slo_attainment: 0.9 }),
    aVerdict("good", { agent_seconds: 7200, slo_attainment: 0.999 }),
    aVerdict("worse", { agent_seconds: 9000, slo_attainment: 0.99 }),
    aVerdict("never late", { agent_seconds: 36_000, slo_attainment: 1 }),
  ]);

  it("names those that no other beats in both", () => {
    expect(dots.filter(({ best }) => best).map(({ policy }) => policy)).toEqual([
      "cheap",
      "good",
      "never late",
    ]);
  });

  it("puts the cheaper to the left, the later higher up, and names below each other", () => {
    const frame = { width: 600, height: 300, left: 50, right: 50, top: 10, bottom: 40 };
    const { dots: found, lates } = placed(dots, frame);
    const [cheap, good, , never] = found;
    expect(cheap?.x).toBeLessThan(good?.x ?? 0);
    expect(cheap?.y).toBeLessThan(good?.y ?? 0);
    expect(never?.y).toBeCloseTo(frame.height - frame.bottom);
    expect(lates.map(({ text }) => text)).toEqual(["never", "0.1 %", "1 %", "10 %"]);
    const twins = dots.slice(0, 1).flatMap((dot) => [dot, { ...dot, policy: "twin" }]);
    const same = placed(twins, frame);
    expect(same.dots.map(({ side }) => side)).toEqual(["right", "right"]);
    expect(same.dots[1]?.labelY).toBe((same.dots[0]?.labelY ?? 0) + 16);
  });

  it("writes a name to the left where another dot lies to the right", () => {
    const close = dotsOf([
      aVerdict("one", { agent_seconds: 36_000, slo_attainment: 0.95 }),
      aVerdict("other", { agent_seconds: 39_000, slo_attainment: 0.951 }),
    ]);
    const frame = { width: 600, height: 300, left: 50, right: 50, top: 10, bottom: 40 };
    expect(placed(close, frame).dots.map(({ side }) => side)).toEqual(["left", "right"]);
  });
});
