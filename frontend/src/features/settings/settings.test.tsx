import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, describe, expect, it, vi } from "vitest";
import { stubApi } from "@/testing/api";
import { faultsOf, renderPage } from "@/testing/render";
import { aPerson } from "@/testing/shapes";
import { AuditEntries } from "./AuditPanel";
import { SecretsPanel } from "./SecretsPanel";
import { TeamPanel } from "./TeamPanel";

afterEach(() => vi.unstubAllGlobals());

const team = {
  slug: "default",
  name: "Default",
  role: "admin",
  max_concurrent_runs: 20,
  retention_days: null,
  platform_retention_days: 30,
  created_at: "2026-01-20T12:00:00Z",
};

describe("the team's settings", () => {
  it("are changed by admins; an empty limit is none", async () => {
    const sent = stubApi({ "GET me/": aPerson(), "GET teams/default/": team, "PATCH teams/default/": team });
    const { container } = await renderPage(<TeamPanel />);
    const runs = await screen.findByLabelText("Runs at a time, at most");
    expect(screen.getByRole("button", { name: "Save" })).toBeDisabled();
    await userEvent.clear(runs);
    await userEvent.type(screen.getByLabelText("Days that runs are kept"), "14");
    expect(await faultsOf(container)).toEqual([]);
    await userEvent.click(screen.getByRole("button", { name: "Save" }));
    await waitFor(() =>
      expect(sent["PATCH teams/default/"]).toEqual({
        name: "Default",
        max_concurrent_runs: null,
        retention_days: 14,
      }),
    );
  });

  it("are shown to the others, with the reason why they cannot change them", async () => {
    stubApi({ "GET me/": aPerson("operator"), "GET teams/default/": team });
    await renderPage(<TeamPanel />);
    expect(await screen.findByLabelText("Runs at a time, at most")).toBeDisabled();
    expect(screen.getAllByText(/needs the role admin in Default; yours is operator/)[0]).toBeVisible();
  });
});

describe("secrets", () => {
  const kept = { name: "API_KEY", author: "ada", changed_at: "2026-01-20T12:00:00Z" };
  const listed = { results: [kept], next: null, previous: null };

  it("are set by admins; their values are not shown", async () => {
    const sent = stubApi({ "GET me/": aPerson(), "GET secrets/": listed, "PUT secrets/TOKEN/": kept });
    const { container } = await renderPage(<SecretsPanel />);
    expect(await screen.findByText("API_KEY")).toBeVisible();
    expect(screen.getByRole("button", { name: "Set" })).toBeDisabled();
    await userEvent.type(screen.getByLabelText("Name"), "TOKEN");
    await userEvent.type(screen.getByLabelText("Value"), "s3cret");
    expect(screen.getByLabelText("Value")).toHaveAttribute("type", "password");
    expect(await faultsOf(container)).toEqual([]);
    await userEvent.click(screen.getByRole("button", { name: "Set" }));
    await waitFor(() => expect(sent["PUT secrets/TOKEN/"]).toEqual({ value: "s3cret" }));
    await waitFor(() => expect(screen.getByLabelText("Value")).toHaveValue(""));
  });

  it("are named to editors, and hidden from viewers", async () => {
    stubApi({ "GET me/": aPerson("editor"), "GET secrets/": listed });
    const view = await renderPage(<SecretsPanel />);
    expect(await screen.findByText("API_KEY")).toBeVisible();
    expect(screen.getByRole("button", { name: "Delete API_KEY" })).toBeDisabled();
    view.unmount();
    stubApi({ "GET me/": aPerson("viewer") });
    await renderPage(<SecretsPanel />);
    expect(await screen.findByText(/needs the role editor/)).toBeVisible();
  });
});

describe("the audit log", () => {
  const entry = {
    id: 1,
    at: "2026-01-20T12:00:00Z",
    actor: "ada",
    via: "session",
    address: "10.0.0.7",
    action: "workflow.saved",
    target: "workflow/nightly",
    details: { version: 3 },
  };

  it("tells who did what, on what, from where", async () => {
    stubApi({ "GET audit/": { results: [entry], next: null, previous: null } });
    const { container } = await renderPage(<AuditEntries filters={{ action: "workflow" }} />);
    expect(await screen.findByText("workflow/nightly")).toBeVisible();
    expect(screen.getByText("session · 10.0.0.7")).toBeVisible();
    expect(String(vi.mocked(fetch).mock.calls[0]?.[0])).toContain("action=workflow");
    await userEvent.hover(screen.getByText("workflow.saved"));
    expect(await screen.findByText(/"version": 3/)).toBeInTheDocument();
    expect(await faultsOf(container)).toEqual([]);
  });
});
