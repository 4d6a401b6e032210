import { Button } from "@mantine/core";
import { ModalsProvider } from "@mantine/modals";
import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { renderPage } from "@/testing/render";
import { openRunModal } from "./RunModal";

const answers = new Map<string, { status: number; body: unknown }>();
const fetching = vi.fn<typeof fetch>(async (url, init) => {
  const answer = answers.get(`${init?.method} ${String(url)}`);
  if (!answer) throw new Error(`nobody answers ${init?.method} ${String(url)}`);
  return new Response(JSON.stringify(answer.body), { status: answer.status });
});

const AT = "/api/v1/workflows/census/";
const started = { status: 201, body: { id: "run-1", state: "pending" } };

beforeEach(() => void vi.stubGlobal("fetch", fetching));
afterEach(() => {
  vi.unstubAllGlobals();
  fetching.mockClear();
  answers.clear();
});

async function open(document: unknown) {
  answers.set(`GET ${AT}`, { status: 200, body: { name: "census", version: 4, document } });
  const view = await renderPage(
    <ModalsProvider>
      <Button onClick={() => openRunModal({ workflow: "census" })}>Open</Button>
    </ModalsProvider>,
  );
  await userEvent.click(screen.getByRole("button", { name: "Open" }));
  return { ...view, dialog: within(await screen.findByRole("dialog")) };
}

function sentRuns() {
  const runs = fetching.mock.calls.filter(([url]) => String(url).endsWith("/runs/"));
  return runs.map(([, init]) => init);
}

it("starts at a press what takes no params, and opens the run", async () => {
  answers.set(`POST ${AT}runs/`, started);
  const { dialog, router } = await open({ steps: [] });
  expect(await dialog.findByText(/Version 4 takes no params/)).toBeVisible();
  await userEvent.click(dialog.getByRole("button", { name: "Start run" }));
  await waitFor(() => expect(router.state.location.pathname).toBe("/runs/run-1"));
  expect(JSON.parse(String(sentRuns()[0]?.body))).toEqual({ params: {} });
  expect(sentRuns()[0]?.headers).toHaveProperty("Idempotency-Key");
});

it("asks for params, keeps them when they are refused, and sends the next try under another key", async () => {
  const problem = {
    status: 400,
    code: "invalid",
    title: "Invalid",
    detail: "root is no directory",
    errors: [],
  };
  answers.set(`POST ${AT}runs/`, { status: 400, body: problem });
  const { dialog } = await open({
    params: { type: "object", properties: { root: { type: "string", title: "Root" } }, required: ["root"] },
  });
  await userEvent.type(await dialog.findByLabelText(/Root/), "/srv");
  await userEvent.click(dialog.getByRole("button", { name: "Start run" }));
  expect(await dialog.findByText("root is no directory")).toBeVisible();
  expect(dialog.getByLabelText(/Root/)).toHaveValue("/srv");
  answers.set(`POST ${AT}runs/`, started);
  await userEvent.click(dialog.getByRole("button", { name: "Start run" }));
  await waitFor(() => expect(sentRuns()).toHaveLength(2));
  const [first, second] = sentRuns().map(
    (init) => (init?.headers as Record<string, string>)["Idempotency-Key"],
  );
  expect(first).not.toBe(second);
  expect(JSON.parse(String(sentRuns()[1]?.body))).toEqual({ params: { root: "/srv" } });
});
