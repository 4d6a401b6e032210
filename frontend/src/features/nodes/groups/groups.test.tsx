import { ModalsProvider } from "@mantine/modals";
import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { NodeGroup, NodeGroupDecision, Offer } from "@/api/types";
import { stubApi } from "@/testing/api";
import { faultsOf, renderPage } from "@/testing/render";
import { aMachine, aNode, aNodeGroup, aPerson } from "@/testing/shapes";
import NodesPage from "../NodesPage";
import { mixOf } from "./money";

afterEach(() => vi.unstubAllGlobals());

const workers = aNodeGroup("workers", {
  zones: ["north"],
  on_demand_base: 1,
  max_price: 0.05,
  machines: [
    aMachine("1", { node: "alpha" }),
    aMachine("2", { state: "launched", capacity_type: "on_demand", price: 0.1, cost: 0.02 }),
    aMachine("3", { state: "requested", price: null, cost: 0 }),
  ],
});

const anOffer = (fields: Partial<Offer>): Offer => ({
  instance_type: "m7g.large",
  capacity_type: "spot",
  zone: "north",
  price: 0.03,
  interruption_risk: 0,
  short: false,
  cpus: 2,
  memory: 8 * 1024 ** 3,
  agents: 20,
  ...fields,
});

const decision: NodeGroupDecision = {
  id: 4,
  at: "2026-01-20T12:00:00Z",
  action: "launch",
  reason: "demand",
  explanation: "Agents that fit on no node ask for 1 machine: spot in north for 0.03 per hour.",
  machines: 1,
  needed: 2,
  launched: [{ instance_type: "m7g.large", capacity_type: "spot", zone: "north", price: 0.03 }],
  released: [],
};

const costs = {
  currency: "EUR",
  per_hour: { cost: 0, on_demand: 0, saved: 0, idle: 0 },
  unpriced: 0,
  so_far: { since: null, cost: 0, saved: 0 },
};

interface Scene {
  groups?: NodeGroup[];
  problem?: string | null;
  person?: ReturnType<typeof aPerson>;
  answers?: Record<string, unknown>;
  statuses?: Record<string, number>;
}

async function show(
  { groups = [workers], problem = null, person = aPerson(), ...more }: Scene = {},
  at = "",
) {
  const sent = stubApi(
    {
      "GET me/": person,
      "GET nodes/": { results: [aNode("alpha", { agents: 12 })] },
      "GET node-costs/": costs,
      "GET node-groups/": { results: groups, problem },
      "GET node-groups/workers/decisions/": { results: [decision], next: null, previous: null },
      ...more.answers,
    },
    more.statuses,
  );
  const view = await renderPage(
    <ModalsProvider>
      <NodesPage />
    </ModalsProvider>,
    `/nodes${at}`,
  );
  return { ...view, sent, person: userEvent.setup() };
}

const card = async () => within(await screen.findByRole("region", { name: "Node group workers" }));

describe("a node group", () => {
  it("tells its machines, what they cost and save, and its last decisions", async () => {
    const { container } = await show();
    const group = await card();
    const figure = (label: string) => group.getByText(label, { selector: "dt" }).nextElementSibling;
    expect(figure("machines")).toHaveTextContent("3 of 5");
    await waitFor(() => expect(figure("an hour")).toHaveTextContent("0.13 EUR"));
    expect(figure("saved, an hour")).toHaveTextContent("0.07 EUR");
    expect(figure("cost so far")).toHaveTextContent("0.52 EUR");
    const row = within(group.getByText("alpha").closest("tr") as HTMLTableRowElement);
    for (const text of ["joined", "spot", "north", "0.03 EUR", "0.1 on demand", "0.5 EUR", "12", "i-1"]) {
      expect(row.getByText(text)).toBeVisible();
    }
    expect(await group.findByText(decision.explanation)).toBeVisible();
    expect(group.getByText("ec2 · m7g.large · north")).toBeVisible();
    expect(group.getByText(/Spot above 1 machine on demand, for 0.05 EUR at most/)).toBeVisible();
    expect(await faultsOf(container)).toEqual([]);
  });

  it("tells what each instance type costs now, and what there is none of", async () => {
    const large = { instance_type: "m7g.xlarge", cpus: 4, memory: 16 * 1024 ** 3, agents: 40 };
    const offers = [
      anOffer({ capacity_type: "on_demand", price: 0.1 }),
      anOffer({ price: 0.04, zone: "south" }),
      anOffer({ interruption_risk: 0.02 }),
      anOffer({ ...large, capacity_type: "on_demand", price: null }),
      anOffer({ ...large, short: true }),
    ];
    const { container } = await show({ groups: [{ ...workers, offers }] });
    const table = within((await card()).getByRole("table", { name: "Instance types" }));
    const [, small, big] = table.getAllByRole("row");
    const cells = (row?: HTMLElement) =>
      row &&
      within(row)
        .getAllByRole("cell")
        .map((cell) => cell.textContent);
    await waitFor(() =>
      expect(cells(small)).toEqual([
        "m7g.large",
        "2 CPUs, 8 GiB",
        "20",
        "0.1 EUR0.005 an agent, in north",
        "0.03 EUR0.0015 an agent, in north",
        "0.02",
      ]),
    );
    expect(cells(big)).toEqual([
      "m7g.xlarge",
      "4 CPUs, 16 GiB",
      "40",
      "not knownin north",
      "none to be had",
      "–",
    ]);
    expect(await faultsOf(container)).toEqual([]);
  });

  it("has types added, changed and removed; what one has of its own stays", async () => {
    const own = {
      type: "m7i.large",
      on_demand_price: null,
      interruption_risk: 0.01,
      template: { disk_gib: 40 },
    };
    const group = { ...workers, instance_types: [...workers.instance_types, own] };
    const errors = [
      { path: "instance_types[1].template.disk_gib", message: "Too large.", step: null },
      { path: "instance_types[1].on_demand_price", message: "Too dear.", step: null },
    ];
    const { sent, person } = await show({
      groups: [group],
      answers: { "PATCH node-groups/workers/": { detail: "Not valid.", errors } },
      statuses: { "PATCH node-groups/workers/": 400 },
    });
    await person.click(await screen.findByRole("button", { name: "Edit the node group workers" }));
    expect(await screen.findByText("Of its own: disk_gib")).toBeVisible();
    await person.click(screen.getByRole("button", { name: "Remove type 1" }));
    await person.click(screen.getByRole("button", { name: "Add type" }));
    await person.type(screen.getByLabelText("Type 2"), "c7g.large");
    await person.type(screen.getByLabelText("Price on demand of type 2"), "0.08");
    await person.type(screen.getByLabelText("Interruptions an hour of type 2"), "0.05");
    expect(await faultsOf(document.body)).toEqual([]);
    await person.click(screen.getByRole("button", { name: "Save" }));
    await waitFor(() =>
      expect(sent["PATCH node-groups/workers/"]).toEqual({
        instance_types: [
          own,
          { type: "c7g.large", on_demand_price: 0.08, interruption_risk: 0.05, template: {} },
        ],
      }),
    );
    await waitFor(() =>
      expect(screen.getByLabelText("Type 2")).toHaveAccessibleDescription("disk_gib: Too large."),
    );
    expect(screen.getByLabelText("Price on demand of type 2")).toHaveAccessibleDescription("Too dear.");
  });

  it("says in a sentence why no machines come", async () => {
    await show({ groups: [aNodeGroup("workers", { problem: "EC2 does not know this image." })] });
    expect((await card()).getByRole("alert")).toHaveTextContent("EC2 does not know this image.");
  });

  it("has its limits and spot settings changed; what stays is not sent", async () => {
    const { sent, person } = await show({ answers: { "PATCH node-groups/workers/": workers } });
    await person.click(await screen.findByRole("button", { name: "Edit the node group workers" }));
    const most = await screen.findByLabelText("Maximum");
    expect(screen.getByRole("button", { name: "Save" })).toBeDisabled();
    await person.clear(most);
    await person.type(most, "8");
    await person.clear(screen.getByLabelText("Base on demand"));
    await person.click(screen.getByRole("switch", { name: /On demand while there is no spot/ }));
    expect(await faultsOf(document.body)).toEqual([]);
    await person.click(screen.getByRole("button", { name: "Save" }));
    await waitFor(() =>
      expect(sent["PATCH node-groups/workers/"]).toEqual({
        max: 8,
        on_demand_base: null,
        spot_fallback: false,
      }),
    );
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  });

  it("is made, and keeps what was typed when the server finds faults in it", async () => {
    const errors = [
      { path: "max", message: "From min (9) to 1000 machines.", step: null },
      { path: "template.image_id", message: "The id of an image is needed.", step: null },
    ];
    const { sent, person } = await show({
      groups: [],
      answers: { "POST node-groups/": { detail: "Not valid.", errors } },
      statuses: { "POST node-groups/": 400 },
    });
    const make = await screen.findByRole("button", { name: "New group" });
    await waitFor(() => expect(make).toBeEnabled());
    await person.click(make);
    await person.type(await screen.findByLabelText("Name"), "workers");
    await person.type(screen.getByRole("combobox", { name: "Zones" }), "north,");
    const template = screen.getByLabelText("Template");
    fireEvent.change(template, { target: { value: "{" } });
    await person.click(screen.getByRole("button", { name: "Create" }));
    expect(template).toHaveAccessibleDescription(/A JSON object is expected here/);
    expect(screen.getByLabelText("Type 1")).toHaveAccessibleDescription(/This needs a type/);
    await person.type(screen.getByLabelText("Type 1"), "m7g.large");
    expect(sent).not.toHaveProperty(["POST node-groups/"]);
    fireEvent.change(template, { target: { value: '{"image_id": ""}' } });
    await person.click(screen.getByRole("button", { name: "Create" }));
    await waitFor(() => expect(screen.getByLabelText("Maximum")).toBeInvalid());
    expect(template).toHaveAccessibleDescription(/image_id: The id of an image is needed/);
    expect(sent["POST node-groups/"]).toEqual({
      name: "workers",
      min: 0,
      max: 10,
      zones: ["north"],
      instance_types: [{ type: "m7g.large", on_demand_price: null, interruption_risk: null, template: {} }],
      prefer_spot: true,
      on_demand_base: null,
      spot_fallback: true,
      max_price: null,
      idle_timeout: 300,
      join_timeout: 600,
      template: { image_id: "" },
    });
  });

  it("is removed only after it was said what becomes of its machines", async () => {
    const { sent, person } = await show({ answers: { "DELETE node-groups/workers/": {} } });
    await person.click(await screen.findByRole("button", { name: "Remove the node group workers" }));
    expect(await screen.findByText(/Its 3 machines take no more agents/)).toBeVisible();
    expect(sent).not.toHaveProperty(["DELETE node-groups/workers/"]);
    await person.click(screen.getByRole("button", { name: "Remove group" }));
    await waitFor(() => expect(sent).toHaveProperty(["DELETE node-groups/workers/"]));
  });
});

describe("who may see groups, and where there are none", () => {
  it.each([
    [aPerson("viewer"), /needs the role admin in Default; yours is viewer/],
    [{ ...aPerson("admin"), staff: false }, /only the platform's staff acts on them/],
  ])("tells others why, and asks for nothing", async (person, reason) => {
    const { sent } = await show({ person });
    const make = await screen.findByRole("button", { name: "New group" });
    await waitFor(() => expect(make).toHaveAccessibleDescription(reason));
    expect(make).toBeDisabled();
    expect(sent).not.toHaveProperty(["GET node-groups/"]);
  });

  it("says why this installation rents none", async () => {
    const problem = "This installation rents no machines.";
    await show({ groups: [], problem });
    const make = await screen.findByRole("button", { name: "New group" });
    await waitFor(() => expect(make).toHaveAccessibleDescription(problem));
    expect(make).toBeDisabled();
  });

  it("says what went wrong, and offers to ask again", async () => {
    await show({ statuses: { "GET node-groups/": 503 } });
    expect(await screen.findByRole("button", { name: "Try again" })).toBeVisible();
  });
});

describe("the mix of machines in words", () => {
  it.each([
    [{ prefer_spot: false }, "On demand. Empty machines go after 5 m."],
    [
      {},
      "Spot above what is needed half of the time, for less than on demand; on demand while there is none. Empty machines go after 5 m.",
    ],
    [
      { on_demand_base: 0, spot_fallback: false },
      "Spot, for less than on demand; agents wait while there is none. Empty machines go after 5 m.",
    ],
  ])("%o", (fields, words) => {
    expect(mixOf(aNodeGroup("workers", fields), "EUR")).toBe(words);
  });
});
