import { ModalsProvider } from "@mantine/modals";
import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Node } from "@/api/types";
import { stubApi } from "@/testing/api";
import { faultsOf, renderPage } from "@/testing/render";
import { aNode, aPerson } from "@/testing/shapes";
import NodesPage from "./NodesPage";

afterEach(() => vi.unstubAllGlobals());

const first = aNode("alpha", { price: 0.12, capacity_type: "spot", zone: "north", agents: 3 });
const cordoned = aNode("beta", { state: "cordoned" });
const lost = aNode("gamma", { state: "lost", note: "No agent is placed here: it has no engine." });

async function show(nodes: Node[], role = "admin", answers = {}, statuses = {}) {
  const sent = stubApi(
    {
      "GET nodes/": { results: nodes },
      "GET node-groups/": { results: [], problem: null },
      "GET me/": aPerson(role),
      ...answers,
    },
    statuses,
  );
  const view = await renderPage(
    <ModalsProvider>
      <NodesPage />
    </ModalsProvider>,
  );
  await screen.findByRole("heading", { name: "Nodes" });
  return { ...view, sent };
}

const rowOf = async (name: string) =>
  within((await screen.findByText(name)).closest("tr") as HTMLTableRowElement);

describe("nodes", () => {
  it("tells of each its state, address, capacity, price, type, zone and agents", async () => {
    const { container } = await show([first, cordoned, lost]);
    const row = await rowOf("alpha");
    for (const text of ["ready", "10.0.0.5", "4 CPUs, 8 GiB", "0.12 per hour", "spot", "north", "3"]) {
      expect(row.getByText(text)).toBeInTheDocument();
    }
    expect((await rowOf("beta")).getByText("cordoned")).toBeInTheDocument();
    expect((await rowOf("gamma")).getByText(/it has no engine/)).toBeInTheDocument();
    expect(await faultsOf(container)).toEqual([]);
  });

  it("cordons at once", async () => {
    const { sent } = await show([first], "admin", { "POST nodes/alpha/cordon/": cordoned });
    await userEvent.click(await screen.findByRole("button", { name: "Cordon alpha" }));
    await waitFor(() => expect(sent).toHaveProperty("POST nodes/alpha/cordon/"));
  });

  it("asks before it drains, and says what will happen", async () => {
    const { sent } = await show([first], "admin", { "POST nodes/alpha/drain/": first });
    await userEvent.click(await screen.findByRole("button", { name: "Drain alpha" }));
    expect(await screen.findByText(/3 agents leave it/)).toBeInTheDocument();
    expect(sent).not.toHaveProperty("POST nodes/alpha/drain/");
    await userEvent.click(screen.getByRole("button", { name: "Drain node" }));
    await waitFor(() => expect(sent).toHaveProperty("POST nodes/alpha/drain/"));
  });

  it("offers what makes sense in its state", async () => {
    await show([cordoned, lost]);
    const beta = (await rowOf("beta")).getAllByRole("button");
    expect(beta.map((button) => button.textContent)).toEqual(["Uncordon", "Drain…"]);
    const gamma = (await rowOf("gamma")).getAllByRole("button");
    expect(gamma.map((button) => button.textContent)).toEqual(["Cordon"]);
  });

  it("tells an operator why nodes stay as they are", async () => {
    await show([first], "operator");
    const button = await screen.findByRole("button", { name: "Cordon alpha" });
    await waitFor(() => expect(button).toBeDisabled());
    expect(button).toHaveAccessibleDescription(/needs the role admin in Default; yours is operator/);
  });

  it("tells an admin of a team that nodes are for the platform's staff", async () => {
    await show([first], "admin", { "GET me/": { ...aPerson("admin"), staff: false } });
    const button = await screen.findByRole("button", { name: "Drain alpha" });
    await waitFor(() => expect(button).toBeDisabled());
    expect(button).toHaveAccessibleDescription(/only the platform's staff acts on them/);
  });

  it("tells what they cost, what of it is idle, and what spot saves", async () => {
    const costs = {
      currency: "EUR",
      per_hour: { cost: 0.15, on_demand: 0.4, saved: 0.25, idle: 0.0612 },
      unpriced: 1,
      so_far: { since: "2026-11-01T00:00:00Z", cost: 10, saved: 31.4 },
    };
    await show([aNode("alpha", { price: 0.15, idle_price: 0.0612 })], "viewer", { "GET node-costs/": costs });
    for (const text of ["0.15 EUR", "0.0612 EUR", "0.25 EUR", "31.4 EUR"]) {
      expect(await screen.findByText(text)).toBeInTheDocument();
    }
    expect(screen.getByTitle("Of all nodes. The price of 1 node is not known.")).toBeInTheDocument();
    expect((await rowOf("alpha")).getByText("0.0612 of it idle")).toBeInTheDocument();
  });

  it("says until when a machine is there", async () => {
    await show([aNode("alpha", { state: "draining", leave_by: "2026-11-25T22:10:00Z" })]);
    const badge = (await rowOf("alpha")).getByText("draining");
    expect(badge.closest("[title]")).toHaveAttribute("title", expect.stringContaining("takes it away at"));
  });

  it("says what the page is for while no node is known", async () => {
    await show([]);
    expect(await screen.findByText("No nodes known yet")).toBeInTheDocument();
  });
});
