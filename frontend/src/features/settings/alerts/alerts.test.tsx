import { ModalsProvider } from "@mantine/modals";
import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Alert, AlertChannel } from "@/api/types";
import { stubApi } from "@/testing/api";
import { faultsOf, renderPage } from "@/testing/render";
import { aChannel, aPerson } from "@/testing/shapes";
import { AlertsPanel } from "./AlertsPanel";

afterEach(() => vi.unstubAllGlobals());

const saturated: Alert = {
  id: "a1",
  kind: "saturation",
  subject: "pool/parsers",
  period: "",
  state: "open",
  sentence: "12 callers have waited for parsers for two minutes.",
  facts: {},
  opened_at: "2026-01-20T12:00:00Z",
  resolved_at: null,
};

const ops = aChannel("ops", {
  last: { state: "failed", attempts: 7, problem: "It answered with status 500.", at: "2026-01-20T12:00:00Z" },
});

interface Scene {
  channels?: AlertChannel[];
  role?: string;
  answers?: Record<string, unknown>;
  statuses?: Record<string, number>;
}

async function show({ channels = [ops], role = "admin", answers = {}, statuses = {} }: Scene = {}) {
  const sent = stubApi(
    {
      "GET me/": aPerson(role),
      "GET alerts/": { results: [saturated], next: null, previous: null },
      "GET alert-channels/": { results: channels, next: null, previous: null },
      ...answers,
    },
    statuses,
  );
  const view = await renderPage(
    <ModalsProvider>
      <AlertsPanel />
    </ModalsProvider>,
    "/settings?tab=alerts",
  );
  return { ...view, sent, person: userEvent.setup() };
}

const row = async (name: string) => within(await screen.findByRole("listitem", { name }));

describe("alerts", () => {
  it("tell what is wrong, where, and keep in the address which are shown", async () => {
    const { container, person, router } = await show();
    expect(await screen.findByText(saturated.sentence)).toBeVisible();
    expect(screen.getByRole("link", { name: "pool/parsers" })).toHaveAttribute("href", "/pools?pool=parsers");
    await row("ops");
    expect(await faultsOf(container)).toEqual([]);
    await person.click(screen.getByRole("radio", { name: "All" }));
    await waitFor(() => expect(router.state.location.search).toEqual({ tab: "alerts", alerts: "all" }));
    const asked = vi.mocked(fetch).mock.calls.map(([url]) => String(url));
    expect(asked.filter((url) => url.includes("alerts/?state=open"))).not.toEqual([]);
    expect(asked.filter((url) => /alerts\/\?limit/.test(url))).not.toEqual([]);
  });
});

describe("a channel", () => {
  it("tells where it goes, for what, and why the last alert did not arrive", async () => {
    const due = new Date(Date.now() + 90_000).toISOString();
    const desk = aChannel("desk", {
      kind: "webhook",
      target: "https://desk.example.org/alerts",
      kinds: ["budget_100"],
      last: { state: "pending", attempts: 2, problem: "It could not be reached.", at: due },
    });
    await show({ channels: [desk, ops, aChannel("quiet")] });
    const failed = await row("ops");
    expect(failed.getByText("failed")).toHaveAttribute("data-hue", "red");
    expect(failed.getByText(/after 7 attempts/)).toBeVisible();
    expect(failed.getByText("It answered with status 500.")).toBeVisible();
    const pending = await row("desk");
    expect(pending.getByText("https://desk.example.org/alerts")).toBeVisible();
    expect(pending.getByText(/A budget is spent, added by ada/)).toBeVisible();
    expect(pending.getByText(/2 attempts so far, next try/)).toBeVisible();
    expect(pending.getByText("It could not be reached.")).toBeVisible();
    expect((await row("quiet")).getByText("No alert was sent to it yet.")).toBeVisible();
  });

  it("is tested by operators, who are told why a test did not arrive; admins change it", async () => {
    const path = "POST alert-channels/id-of-ops/test/";
    const problem = { detail: "It answered with status 404.", errors: [] };
    const { person } = await show({
      role: "operator",
      answers: { [path]: problem },
      statuses: { [path]: 502 },
    });
    await person.click(await screen.findByRole("button", { name: "Test ops" }));
    expect(await screen.findByRole("alert")).toHaveTextContent(
      "The test was not delivered. It answered with status 404.",
    );
    const remove = screen.getByRole("button", { name: "Remove ops" });
    expect(remove).toBeDisabled();
    expect(remove).toHaveAccessibleDescription(/needs the role admin in Default; yours is operator/);
    expect(screen.getByRole("button", { name: "Add channel" })).toBeDisabled();
  });

  it("is added; what its webhooks are signed with is shown once", async () => {
    const made = { ...aChannel("desk", { kind: "webhook" }), secret: "signed-with-this" };
    const { person, sent } = await show({ channels: [], answers: { "POST alert-channels/": made } });
    expect(await screen.findByText(/sent to nobody/)).toBeVisible();
    await person.click(screen.getByRole("button", { name: "Add channel" }));
    await person.click(await screen.findByRole("radio", { name: "Webhook" }));
    await person.type(screen.getByLabelText("Name"), "desk");
    await person.type(screen.getByLabelText("Address"), "https://desk.example.org/alerts");
    await person.click(screen.getByRole("combobox", { name: "Only these alerts" }));
    await person.click(await screen.findByRole("option", { name: "A pool is saturated" }));
    await person.click(screen.getByRole("button", { name: "Add" }));
    expect(await screen.findByText("signed-with-this")).toBeVisible();
    expect(sent["POST alert-channels/"]).toEqual({
      name: "desk",
      kind: "webhook",
      target: "https://desk.example.org/alerts",
      kinds: ["saturation"],
    });
    await person.click(screen.getByRole("button", { name: "I have it" }));
    await waitFor(() => expect(screen.queryByText("signed-with-this")).toBeNull());
  });

  it("shows the server's fault at the field, and keeps what was typed", async () => {
    const errors = [{ path: "target", message: "ops is no e-mail address.", step: null }];
    const { person } = await show({
      answers: { "PATCH alert-channels/id-of-ops/": { detail: "Not valid.", errors } },
      statuses: { "PATCH alert-channels/id-of-ops/": 400 },
    });
    await person.click(await screen.findByRole("button", { name: "Edit ops" }));
    const target = await screen.findByLabelText("E-mail addresses");
    expect(screen.getByRole("button", { name: "Save" })).toBeDisabled();
    await person.clear(target);
    await person.type(target, "ops");
    await person.click(screen.getByRole("button", { name: "Save" }));
    await waitFor(() => expect(target).toBeInvalid());
    expect(target).toHaveAccessibleDescription(/ops is no e-mail address/);
    expect(target).toHaveValue("ops");
    expect(await faultsOf(document.body)).toEqual([]);
  });

  it("is switched off, and removed after it was said what that means", async () => {
    const { person, sent } = await show({
      answers: { "PATCH alert-channels/id-of-ops/": ops, "DELETE alert-channels/id-of-ops/": {} },
    });
    await person.click(await screen.findByRole("switch", { name: "ops is on" }));
    await waitFor(() => expect(sent["PATCH alert-channels/id-of-ops/"]).toEqual({ enabled: false }));
    await person.click(screen.getByRole("button", { name: "Remove ops" }));
    expect(await screen.findByText(/No alert goes there any more/)).toBeVisible();
    expect(sent).not.toHaveProperty(["DELETE alert-channels/id-of-ops/"]);
    await person.click(screen.getByRole("button", { name: "Remove channel" }));
    await waitFor(() => expect(sent).toHaveProperty(["DELETE alert-channels/id-of-ops/"]));
  });

  it("is hidden from viewers, who see the alerts", async () => {
    const { sent } = await show({ role: "viewer" });
    expect(await screen.findByText(saturated.sentence)).toBeVisible();
    expect(await screen.findByText(/needs the role operator in Default; yours is viewer/)).toBeVisible();
    expect(sent).not.toHaveProperty(["GET alert-channels/"]);
    expect(screen.queryByRole("button", { name: "Add channel" })).toBeNull();
  });
});
