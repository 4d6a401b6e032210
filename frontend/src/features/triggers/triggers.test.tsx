import { Table } from "@mantine/core";
import { ModalsProvider } from "@mantine/modals";
import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Trigger } from "@/api/types";
import { stubApi } from "@/testing/api";
import { faultsOf, renderPage } from "@/testing/render";
import { aPerson } from "@/testing/shapes";
import { inWords } from "./cron";
import { configOf, draftOf, formSchemaFor, mapOf } from "./draft";
import { curlFor } from "./SecretModal";
import { TriggerModal } from "./TriggerModal";
import { TriggerRow } from "./TriggerRow";
import { whenOf } from "./words";

afterEach(() => vi.unstubAllGlobals());

const AT = "2026-01-20T12:00:00Z";
const base = {
  id: "t-1",
  workflow: "census",
  name: "nightly",
  params: {},
  enabled: true,
  declared: false,
  due_at: null,
  hook: null,
  created_by: "ada",
  created_at: AT,
  updated_at: AT,
  last_firing: null,
};
const schedule: Trigger = {
  ...base,
  kind: "schedule",
  config: { cron: "0 6 * * *", timezone: "Asia/Tokyo" },
};
const event: Trigger = {
  ...base,
  kind: "event",
  config: {
    workflow: "hello",
    states: ["failed", "cancelled"],
    map: { n: "${run.output.n}", deep: { a: 1 } },
  },
};

describe("a line of cron in words", () => {
  it.each([
    ["0 6 * * *", "At 06:00 every day"],
    ["30 2 * * 1-5", "At 02:30 on Monday to Friday"],
    ["*/5 * * * *", "Every 5 minutes"],
    ["0 * * * *", "Every hour, on the hour"],
    ["15 * * * *", "At minute 15 of every hour"],
    ["0 8,18 * * mon,sun", "At 08:00 and 18:00 on Monday and Sunday"],
    ["0 0 1 1 *", "At 00:00 on day 1 of the month in January"],
    ["*/10 9-17 * * *", "Every 10 minutes from 09:00 to 17:00"],
  ])("%s reads %s", (cron, words) => expect(inWords(cron)).toBe(words));

  it.each(["", "* * * *", "a b c d e f", "!! * * * *"])("%s is none", (cron) =>
    expect(inWords(cron)).toBeNull(),
  );
});

describe("what a trigger says", () => {
  it("tells when it goes off", () => {
    expect(whenOf(schedule)).toBe("At 06:00 every day (Asia/Tokyo)");
    expect(whenOf(event)).toBe("When a run of hello fails or is cancelled");
  });

  it("comes back from the form as it went in", () => {
    expect(configOf(draftOf(event))).toEqual(event.config);
    expect(configOf(draftOf(schedule))).toEqual({
      cron: "0 6 * * *",
      timezone: "Asia/Tokyo",
      catch_up: "last",
      overlap: "queue",
    });
  });

  it("takes JSON as values, everything else as texts, and leaves out what is empty", () => {
    expect(mapOf({ a: "3", b: "${body.x}", c: " ", d: '"3"' })).toEqual({ a: 3, b: "${body.x}", d: "3" });
  });

  it("asks for fixed params without defaults that would win over a payload", () => {
    const schema = {
      required: ["a"],
      properties: { a: { type: "string" }, b: { type: "integer", default: 4 }, n: {}, deep: {} },
    };
    expect(formSchemaFor(draftOf(event), schema)).toEqual({
      properties: { a: { type: "string" }, b: { type: "integer" } },
    });
    expect(formSchemaFor(draftOf(schedule), schema)).toBe(schema);
  });

  it("shows a request that is signed over the time and the body", () => {
    const curl = curlFor("http://here/api/v1/hooks/1/", "s3cret", "X-Hub-Signature");
    expect(curl).toContain(`printf '%s.%s' "$NOW" "$BODY" | openssl dgst -sha256 -hmac "$SECRET"`);
    expect(curl).toContain(`-H "X-Agentainer-Timestamp: $NOW" -H "X-Hub-Signature: sha256=$SIGNATURE"`);
  });
});

describe("a row", () => {
  const show = (refusal: string | null) =>
    renderPage(
      <Table>
        <Table.Tbody>
          <TriggerRow trigger={schedule} refusal={refusal} />
        </Table.Tbody>
      </Table>,
    );

  it("switches off in place", async () => {
    const sent = stubApi({ "PATCH triggers/t-1/": { ...schedule, enabled: false } });
    await show(null);
    await userEvent.click(screen.getByRole("switch", { name: "nightly is on" }));
    await waitFor(() => expect(sent["PATCH triggers/t-1/"]).toEqual({ enabled: false }));
  });

  it("says why one may not", async () => {
    await show("This needs the role editor in Default; yours is viewer.");
    expect(screen.getByRole("switch")).toBeDisabled();
    expect(screen.getByRole("switch")).toHaveAccessibleDescription(/needs the role editor/);
  });
});

describe("the form", () => {
  const document = { params: { type: "object", properties: { limit: { type: "integer", title: "Limit" } } } };
  const answers = {
    "GET me/": aPerson(),
    "GET workflows/": { results: [{ name: "census" }], next: null, previous: null },
    "GET workflows/census/": { name: "census", version: 1, document },
  };
  const show = () =>
    renderPage(
      <ModalsProvider>
        <TriggerModal workflow="census" onClose={() => undefined} />
      </ModalsProvider>,
    );

  it("makes a schedule with the workflow's params", async () => {
    const sent = stubApi({ ...answers, "POST triggers/": schedule });
    const { router } = await show();
    await userEvent.type(screen.getByLabelText("Name of the trigger"), "Every Night");
    expect(screen.getByText("It will be called every-night.")).toBeVisible();
    await userEvent.clear(screen.getByLabelText("Cron line"));
    await userEvent.type(screen.getByLabelText("Cron line"), "30 2 * * *");
    expect(screen.getByText("At 02:30 every day.")).toBeVisible();
    await userEvent.type(await screen.findByLabelText(/Limit/), "12");
    await userEvent.click(screen.getByRole("button", { name: "Create" }));
    await waitFor(() => expect(router.state.location.pathname).toBe("/triggers/t-1"));
    expect(sent["POST triggers/"]).toMatchObject({
      workflow: "census",
      kind: "schedule",
      name: "every-night",
      params: { limit: 12 },
      config: { cron: "30 2 * * *", catch_up: "last", overlap: "queue" },
      enabled: true,
    });
  });

  it("shows a webhook's secret once, with the address and a signed request", async () => {
    const made = { ...base, kind: "webhook", config: {}, hook: "/api/v1/hooks/t-1/", secret: "afs_secret" };
    stubApi({ ...answers, "POST triggers/": made });
    await show();
    await userEvent.click(screen.getByText("Webhook"));
    await userEvent.type(screen.getByLabelText("Name of the trigger"), "shop");
    await screen.findByText("Fixed params (they win over the mapping)");
    await screen.findByLabelText(/Limit/);
    await userEvent.click(screen.getByRole("button", { name: "Create" }));
    const dialog = within(await screen.findByRole("dialog", { name: "How to call nightly" }));
    expect(dialog.getByText("afs_secret")).toBeVisible();
    expect(dialog.getByText(/^http\S+\/api\/v1\/hooks\/t-1\/$/)).toBeVisible();
  });

  it("says at the field what is wrong with a cron line", async () => {
    const errors = [{ path: "config.cron", message: "This line never fires: no day fits it.", step: null }];
    stubApi(
      { ...answers, "POST triggers/": { status: 400, detail: "It has faults.", errors } },
      { "POST triggers/": 400 },
    );
    await show();
    await userEvent.type(screen.getByLabelText("Name of the trigger"), "x");
    await screen.findByLabelText(/Limit/);
    await userEvent.click(screen.getByRole("button", { name: "Create" }));
    expect(await screen.findByText("This line never fires: no day fits it.")).toBeVisible();
    expect(await faultsOf(window.document.body)).toEqual([]);
  });
});
