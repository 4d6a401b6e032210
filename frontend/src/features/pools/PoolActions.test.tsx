import { ModalsProvider } from "@mantine/modals";
import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Pool } from "@/api/types";
import { stubApi } from "@/testing/api";
import { faultsOf, renderPage } from "@/testing/render";
import { aPerson, aPool } from "@/testing/shapes";
import { PoolActions } from "./PoolActions";

afterEach(() => vi.unstubAllGlobals());

const busy = aPool("census", {
  states: { starting: 0, idle: 2, active: 1, draining: 0, unhealthy: 0 },
  target_size: 3,
});

async function openMenu(pool: Pool, answers: Record<string, unknown> = {}, role = "operator", status = 200) {
  const statuses = Object.fromEntries(Object.keys(answers).map((name) => [name, status]));
  const sent = stubApi({ "GET me/": aPerson(role), ...answers }, statuses);
  await renderPage(
    <ModalsProvider>
      <PoolActions pool={pool} />
    </ModalsProvider>,
  );
  await waitFor(() => expect(sent).toHaveProperty(["GET me/"]));
  await userEvent.click(screen.getByRole("button", { name: "More for census" }));
  await screen.findByRole("menuitem", { name: "Edit…" });
  return sent;
}

const choose = (name: string) => userEvent.click(screen.getByRole("menuitem", { name }));

describe("what one can do with a pool", () => {
  it("is warmed up to a number of agents", async () => {
    const sent = await openMenu(busy, { "POST pools/census/warm/": busy });
    await choose("Warm…");
    const dialog = within(await screen.findByRole("dialog", { name: "Warm census" }));
    const agents = dialog.getByLabelText("Agents in all");
    expect(agents).toHaveValue("4");
    await userEvent.clear(agents);
    await userEvent.type(agents, "6");
    expect(agents).toHaveAccessibleDescription(/at most 5; change its maximum first/);
    expect(dialog.getByRole("button", { name: "Warm" })).toBeDisabled();
    await userEvent.type(agents, "{Backspace}5");
    expect(await faultsOf(document.body)).toEqual([]);
    await userEvent.click(dialog.getByRole("button", { name: "Warm" }));
    await waitFor(() => expect(sent["POST pools/census/warm/"]).toEqual({ size: 5 }));
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  });

  it("is drained after it was said what happens to work, with a deadline when one is set", async () => {
    const sent = await openMenu(busy, { "POST pools/census/drain/": busy });
    await choose("Drain…");
    const dialog = within(await screen.findByRole("dialog", { name: "Drain census?" }));
    expect(
      dialog.getByText(/2 free agents end at once; 1 active agent finishes its lease first\./),
    ).toBeVisible();
    await userEvent.type(dialog.getByLabelText("Deadline (optional)"), "5");
    await userEvent.selectOptions(dialog.getByLabelText("Unit of Deadline (optional)"), "min");
    expect(await faultsOf(document.body)).toEqual([]);
    await userEvent.click(dialog.getByRole("button", { name: "Drain" }));
    await waitFor(() => expect(sent["POST pools/census/drain/"]).toEqual({ within: 300 }));
  });

  it("lets leases finish when no deadline is set, and tells a refused one at the field", async () => {
    const errors = [{ path: "within", message: "Ensure this value is less.", step: null }];
    const answers = { "POST pools/census/drain/": { detail: "Not valid.", errors } };
    const sent = await openMenu(busy, answers, "operator", 400);
    await choose("Drain…");
    await userEvent.click(await screen.findByRole("button", { name: "Drain" }));
    await waitFor(() => expect(sent["POST pools/census/drain/"]).toEqual({ within: null }));
    await waitFor(() => expect(screen.getByLabelText("Deadline (optional)")).toBeInvalid());
    expect(screen.getByLabelText("Deadline (optional)")).toHaveAccessibleDescription(/value is less/);
  });

  it("is recycled after a question", async () => {
    const sent = await openMenu(busy, { "POST pools/census/recycle/": busy });
    await choose("Recycle…");
    const dialog = within(await screen.findByRole("dialog", { name: "Recycle census?" }));
    expect(dialog.getByText(/2 free agents now, 1 active agent after its lease/)).toBeVisible();
    expect(sent).not.toHaveProperty(["POST pools/census/recycle/"]);
    await userEvent.click(dialog.getByRole("button", { name: "Recycle" }));
    await waitFor(() => expect(sent).toHaveProperty(["POST pools/census/recycle/"]));
  });

  it("is resumed when it is drained, and not warmed before", async () => {
    const drained = { ...busy, drained: true };
    const sent = await openMenu(drained, { "POST pools/census/resume/": busy });
    expect(screen.queryByRole("menuitem", { name: "Drain…" })).toBeNull();
    const warm = screen.getByRole("menuitem", { name: "Warm…" });
    expect(warm).toBeDisabled();
    expect(warm).toHaveAttribute("title", "The pool is drained; resume it first.");
    await choose("Resume");
    await waitFor(() => expect(sent).toHaveProperty(["POST pools/census/resume/"]));
  });

  it.each(["viewer", "editor"])("is not for a %s, and says why", async (role) => {
    await openMenu(busy, {}, role);
    for (const name of ["Warm…", "Drain…", "Recycle…", "Edit…", "Delete…"]) {
      const item = screen.getByRole("menuitem", { name });
      await waitFor(() => expect(item).toBeDisabled());
      expect(item).toHaveAttribute("title", `This needs the role operator in Default; yours is ${role}.`);
    }
  });
});
