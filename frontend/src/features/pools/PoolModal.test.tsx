import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Pool } from "@/api/types";
import { stubApi } from "@/testing/api";
import { faultsOf, renderPage } from "@/testing/render";
import { aPerson, aPool } from "@/testing/shapes";
import { PoolModal } from "./PoolModal";

afterEach(() => vi.unstubAllGlobals());

const PATCH = "PATCH pools/census/";
const shared = aPool("census", {
  env: { LANG: "en" },
  shares: [{ team: "acme", weight: 2 }],
});

async function show(pool: Pool | undefined, answers: Record<string, unknown> = {}, status = 200) {
  const statuses = Object.fromEntries(Object.keys(answers).map((name) => [name, status]));
  const sent = stubApi({ "GET me/": aPerson(), ...answers }, statuses);
  const closed = vi.fn();
  await renderPage(<PoolModal pool={pool} onClose={closed} />);
  await screen.findByLabelText("Minimum size");
  return { sent, closed, person: userEvent.setup() };
}

async function retype(label: string, text: string) {
  const field = screen.getByLabelText(label);
  await userEvent.clear(field);
  await userEvent.type(field, text);
}

const save = () => userEvent.click(screen.getByRole("button", { name: "Save" }));

describe("the form of a pool", () => {
  it("shows its settings in sections, in units that people think in", async () => {
    await show(aPool("census", { memory: 1536 * 1024 ** 2, idle_timeout: 90 }));
    const sections = ["Size", "Life of agents", "Assignment", "Resources of each agent", "Sharing"];
    for (const name of sections) expect(screen.getByRole("group", { name })).toBeVisible();
    expect(screen.getByLabelText("Age")).toHaveValue("4");
    expect(screen.getByLabelText("Unit of Age")).toHaveValue("h");
    expect(screen.getByLabelText("Idle time-out")).toHaveValue("90");
    expect(screen.getByLabelText("Memory in use")).toHaveValue("90 %");
    expect(screen.getByLabelText("Memory")).toHaveValue("1536");
    expect(screen.getByLabelText("Unit of Memory")).toHaveValue("MiB");
    expect(await faultsOf(document.body)).toEqual([]);
  });

  it("sends only what was changed, in the server's units", async () => {
    const { sent, closed, person } = await show(shared, { [PATCH]: shared });
    expect(screen.getByRole("button", { name: "Save" })).toBeDisabled();
    await retype("Memory", "1.5");
    await person.selectOptions(screen.getByLabelText("Unit of Memory"), "GiB");
    await retype("Memory in use", "57");
    await retype("Maximum size", "8");
    await retype("CPU", "0.5");
    await save();
    await waitFor(() => expect(closed).toHaveBeenCalled());
    expect(sent[PATCH]).toEqual({ memory: 1536 * 1024 ** 2, memory_threshold: 0.57, max_size: 8, cpu: 0.5 });
  });

  it("sends variables and teams as a whole, when one of them was changed", async () => {
    const { sent, person } = await show(shared, { [PATCH]: shared });
    await person.click(screen.getByRole("button", { name: "Add variable" }));
    await person.type(screen.getByLabelText("Name of variable 2"), "MODE");
    await person.type(screen.getByLabelText("Value of variable 2"), "fast");
    await person.click(screen.getByRole("button", { name: "Remove team 1" }));
    await save();
    await waitFor(() => expect(sent[PATCH]).toEqual({ env: { LANG: "en", MODE: "fast" }, shares: [] }));
  });

  it("asks for nodes by capacity type and zone, and says that agents are replaced", async () => {
    const { sent, person } = await show(shared, { [PATCH]: shared });
    await person.click(screen.getByRole("combobox", { name: "Capacity type" }));
    await person.click(await screen.findByRole("option", { name: "Spot" }));
    await person.type(screen.getByLabelText("Zone"), "north");
    expect(screen.getByText(/This changes the capacity type, the zone\./)).toBeVisible();
    await save();
    await waitFor(() => expect(sent[PATCH]).toEqual({ capacity_type: "spot", zone: "north" }));
  });

  it("counts nothing as changed that was changed back", async () => {
    await show(shared);
    await retype("Uses per agent", "7");
    expect(screen.getByRole("button", { name: "Save" })).toBeEnabled();
    await retype("Uses per agent", "100");
    expect(screen.getByRole("button", { name: "Save" })).toBeDisabled();
  });

  it("says before saving that the agents are replaced, and because of what", async () => {
    await show(shared);
    await retype("Uses per agent", "7");
    expect(screen.queryByText("Saving replaces every agent.")).toBeNull();
    await retype("Processes", "64");
    await retype("Leases per agent", "4");
    expect(screen.getByText("Saving replaces every agent.")).toBeVisible();
    expect(screen.getByText(/This changes leases per agent, processes\./)).toBeVisible();
  });

  it("makes a pool with everything that stands in it", async () => {
    const { sent, person } = await show(undefined, { "POST pools/": shared });
    expect(screen.queryByText("Saving replaces every agent.")).toBeNull();
    await person.type(screen.getByLabelText("Name"), "parsers");
    await person.click(screen.getByRole("button", { name: "Create" }));
    await waitFor(() => expect(sent["POST pools/"]).toMatchObject({ name: "parsers", min_size: 1, env: {} }));
    expect(sent["POST pools/"]).not.toHaveProperty("image");
  });

  it("makes a pool for commands in an image that is no agent", async () => {
    const { sent, person } = await show(undefined, { "POST pools/": shared });
    await person.type(screen.getByLabelText("Name"), "tools");
    await person.type(screen.getByLabelText("Image"), "debian:12");
    await person.click(screen.getByRole("switch", { name: /For commands/ }));
    await person.click(screen.getByRole("button", { name: "Create" }));
    await waitFor(() => expect(sent["POST pools/"]).toMatchObject({ image: "debian:12", commands: true }));
  });

  it("gives the built-in agents packages, whose versions may have commas", async () => {
    const { sent, person } = await show(shared, { [PATCH]: shared });
    await person.type(
      screen.getByLabelText("Requirements", { selector: "input" }),
      "requests>=2,<3{Enter}idna",
    );
    await person.click(screen.getByRole("button", { name: "Save" }));
    await waitFor(() => expect(sent[PATCH]).toEqual({ requirements: ["requests>=2,<3", "idna"] }));
  });
});

describe("the preset", () => {
  const preset = () => screen.getByRole("combobox", { name: "Preset" });

  it("fills in its five values; others are custom", async () => {
    const { sent, person } = await show(shared, { [PATCH]: shared });
    expect(preset()).toHaveValue("Balanced");
    await person.click(preset());
    await person.click(await screen.findByRole("option", { name: /^Aggressive/ }));
    expect(screen.getByLabelText("Idle time-out")).toHaveValue("1");
    expect(screen.getByLabelText("Unit of Idle time-out")).toHaveValue("min");
    expect(screen.getByLabelText("Uses per agent")).toHaveValue("50");
    expect(screen.getByLabelText("Errors in a row")).toHaveValue("3");
    await retype("Errors in a row", "4");
    expect(preset()).toHaveValue("Custom");
    await save();
    await waitFor(() =>
      expect(sent[PATCH]).toEqual({
        idle_timeout: 60,
        max_uses: 50,
        max_age: 3600,
        memory_threshold: 0.8,
        error_threshold: 4,
      }),
    );
  });
});

describe("faults", () => {
  const fault = (path: string, message: string) => ({ path, message, step: null });

  it("of the server stand at their fields, in the form's words, and keep what was typed", async () => {
    const errors = [
      fault("memory", "It must be between 3.35544e+07 and 1.09951e+12 bytes."),
      fault("health_check_interval", "It must be between 1 and 3600 seconds."),
      fault("env", "LANG belongs to the platform; choose a name without AGENTAINER_."),
      fault("shares.acme", "There is no team acme."),
    ];
    const { closed } = await show(shared, { [PATCH]: { detail: "Not valid.", errors } }, 400);
    await retype("Memory", "1");
    await save();
    await waitFor(() => expect(screen.getByLabelText("Memory")).toBeInvalid());
    expect(screen.getByLabelText("Memory")).toHaveAccessibleDescription(/between 32 MiB and 1,024 GiB\./);
    expect(screen.getByLabelText("Time between checks")).toHaveAccessibleDescription(/between 1 s and 1 h\./);
    expect(screen.getByLabelText("Name of variable 1")).toHaveAccessibleDescription(
      /belongs to the platform/,
    );
    expect(screen.getByLabelText("Team 1", { selector: "input" })).toHaveAccessibleDescription(
      "There is no team acme.",
    );
    expect(screen.queryByRole("alert")).toBeNull();
    expect(screen.getByLabelText("Memory")).toHaveValue("1");
    expect(screen.getByLabelText("Memory")).toHaveFocus();
    expect(closed).not.toHaveBeenCalled();
    expect(await faultsOf(document.body)).toEqual([]);
  });

  it("that belong to no field are told above the buttons", async () => {
    const errors = [fault("$", "This pool is another team's.")];
    await show(shared, { [PATCH]: { detail: "This pool is another team's.", errors } }, 403);
    await retype("Uses per agent", "7");
    await save();
    expect(await screen.findByRole("alert")).toHaveTextContent("This pool is another team's.");
  });

  it("that the server could not see are told before anything is sent", async () => {
    const { sent, person } = await show(shared);
    await retype("Maximum size", "2");
    await retype("Minimum size", "3");
    await userEvent.clear(screen.getByLabelText("CPU"));
    await person.click(screen.getByRole("button", { name: "Add variable" }));
    await person.type(screen.getByLabelText("Name of variable 2"), "LANG");
    await person.click(screen.getByRole("button", { name: "Add team" }));
    await save();
    expect(screen.getByLabelText("Minimum size")).toHaveAccessibleDescription(/above the maximum \(2\)/);
    expect(screen.getByLabelText("CPU")).toHaveAccessibleDescription(/This needs a number\./);
    expect(screen.getByLabelText("Name of variable 2")).toHaveAccessibleDescription(
      "This stands here twice.",
    );
    expect(screen.getByLabelText("Team 2", { selector: "input" })).toHaveAccessibleDescription(
      "Fill it in, or remove the row.",
    );
    expect(sent).not.toHaveProperty([PATCH]);
  });
});
