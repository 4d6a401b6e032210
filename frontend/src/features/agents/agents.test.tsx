import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { AgentRequest, DeployedAgent } from "@/api/types";
import { stubApi } from "@/testing/api";
import { faultsOf, renderPage } from "@/testing/render";
import { aPerson } from "@/testing/shapes";
import { actsOf } from "./AgentActions";
import { bytes } from "./AgentCard";
import AgentsPage from "./AgentsPage";
import { readEnv } from "./DeployModal";
import { foldLog } from "./LogView";
import { replayRefusal } from "./Requests";

afterEach(() => vi.unstubAllGlobals());

function anAgent(fields: Partial<DeployedAgent> = {}): DeployedAgent {
  return {
    id: "019ab9d0-7a1c-7e11-8f00-0123456789ab",
    kind: "deployed",
    name: "worker",
    pool: null,
    image: "worker:1",
    state: "running",
    desired: "running",
    health: "ok",
    problem: null,
    uses: 3,
    last_used: null,
    pending: 0,
    container: "c",
    node: "here",
    started_at: "2026-11-25T10:00:00Z",
    ended_at: null,
    end_reason: null,
    restarts: 0,
    next_start_at: null,
    exit_code: null,
    exit_reason: null,
    exited_at: null,
    created_at: "2026-11-25T10:00:00Z",
    created_by: "ada",
    definition: {
      name: "worker",
      image: "worker:1",
      port: 8000,
      env: {},
      resources: { cpu: 0.5, memory: 512_000_000 },
      volumes: [],
      network: "isolated",
      healthCheck: null,
      autoRestart: true,
    },
    ...fields,
  };
}

function aRequest(fields: Partial<AgentRequest> = {}): AgentRequest {
  return {
    id: "019ab9d0-7a1c-7e11-8f00-00000000aaaa",
    agent: "worker",
    method: "POST",
    path: "/invoke",
    state: "completed",
    reason: null,
    attempts: 1,
    replays: 0,
    replayable: true,
    created_by: "ada",
    created_at: "2026-11-25T10:00:00Z",
    started_at: null,
    finished_at: null,
    response_status: 200,
    response_size: 3,
    ...fields,
  };
}

const list = (...agents: DeployedAgent[]) => ({ results: agents, next: null, previous: null });
const id = anAgent().id;

async function show(agent: DeployedAgent, more: Record<string, unknown> = {}, role = "operator") {
  const sent = stubApi({ "GET me/": aPerson(role as never), "GET agents/": list(agent), ...more });
  const view = await renderPage(<AgentsPage />);
  await screen.findByRole("region", { name: agent.name });
  return { ...view, sent, card: within(screen.getByRole("region", { name: agent.name })) };
}

describe("a deployed agent", () => {
  it("tells what it is, what waits for it, and what is wrong", async () => {
    const problem = "It was killed by signal 9.";
    const { container, card } = await show(anAgent({ state: "failed", pending: 4, restarts: 2, problem }));
    expect(card.getByText("failed")).toBeVisible();
    expect(card.getByRole("alert")).toHaveTextContent(problem);
    expect(card.getByText("0.5 CPU, 512 MB")).toBeVisible();
    const waiting = card.getByText("waiting", { selector: "dt" }).parentElement as HTMLElement;
    expect(within(waiting).getByRole("definition")).toHaveTextContent("4");
    expect(await faultsOf(container)).toEqual([]);
  });

  it("is stopped with one click", async () => {
    const { card, sent } = await show(anAgent(), { [`POST agents/${id}/stop/`]: anAgent() });
    await userEvent.click(card.getByRole("button", { name: "Stop worker" }));
    await waitFor(() => expect(sent).toHaveProperty([`POST agents/${id}/stop/`]));
  });

  it("says to a viewer why it cannot be stopped", async () => {
    const { card } = await show(anAgent(), {}, "viewer");
    const stop = card.getByRole("button", { name: "Stop worker" });
    await waitFor(() => expect(stop).toBeDisabled());
    expect(stop).toHaveAccessibleDescription(/needs the role operator/);
  });

  it("shows its requests, looks into one, and sends it again", async () => {
    const request = aRequest({ state: "failed", reason: "interrupted", response_status: null });
    const path = `agents/${id}/requests/`;
    const detail = {
      ...request,
      request_headers: [],
      request_body: { input: 7 },
      response_headers: [],
      response_body: null,
      response_cut: false,
    };
    const { card, sent } = await show(anAgent(), {
      [`GET ${path}`]: { results: [request], next: null, previous: null },
      [`GET ${path}${request.id}/`]: detail,
      [`POST ${path}${request.id}/replay/`]: { output: 49 },
    });
    await userEvent.click(card.getByRole("tab", { name: "Requests" }));
    await userEvent.click(await card.findByRole("button", { name: "Look" }));
    expect(await card.findByText(/whether the agent acted on it is not known/)).toBeVisible();
    expect(card.getByText(/"input": 7/)).toBeVisible();
    await userEvent.click(card.getByRole("button", { name: "Replay" }));
    await waitFor(() => expect(sent).toHaveProperty([`POST ${path}${request.id}/replay/`]));
  });

  it("is asked by hand", async () => {
    const { card, sent } = await show(anAgent({ image: "agentainer/python-agent" }), {
      [`POST agents/${id}/invoke/`]: { output: 49 },
    });
    await userEvent.click(card.getByRole("tab", { name: "Ask" }));
    await userEvent.click(await card.findByRole("button", { name: "Ask" }));
    expect(await card.findByText(/"output": 49/)).toBeVisible();
    expect(sent[`POST agents/${id}/invoke/`]).toMatchObject({ input: {}, code: expect.any(String) });
  });
});

describe("deploying", () => {
  it("sends one agent, and tells faults at their fields", async () => {
    const fault = { path: "resources.cpu", message: 'Write CPUs as "500m".', step: null };
    const sent = stubApi(
      { "GET me/": aPerson("operator"), "GET agents/": list(), "POST agents/": { errors: [fault] } },
      { "POST agents/": 400 },
    );
    await renderPage(<AgentsPage />);
    await userEvent.click(await screen.findByRole("button", { name: "Deploy one" }));
    await userEvent.type(await screen.findByLabelText("Name"), "worker");
    await userEvent.type(screen.getByLabelText("Variables"), "A=1=2");
    await userEvent.click(screen.getByRole("switch", { name: /Reaches the outside/ }));
    await userEvent.click(screen.getByRole("button", { name: "Deploy" }));
    await waitFor(() =>
      expect(sent["POST agents/"]).toEqual({
        name: "worker",
        env: { A: "1=2" },
        resources: { cpu: "1", memory: "512Mi" },
        network: "egress",
      }),
    );
    expect(await screen.findByText('Write CPUs as "500m".')).toBeVisible();
    expect(screen.getByLabelText("Name")).toHaveValue("worker");
  });

  it("sends a document as it is", async () => {
    const sent = stubApi({
      "GET me/": aPerson("operator"),
      "GET agents/": list(),
      "POST agents/": list(anAgent()),
    });
    await renderPage(<AgentsPage />);
    await userEvent.click(await screen.findByRole("button", { name: "Deploy one" }));
    await userEvent.click(await screen.findByText("Document"));
    await userEvent.click(screen.getByRole("button", { name: "Deploy" }));
    await waitFor(() =>
      expect(sent["POST agents/"]).toEqual({ document: expect.stringContaining("kind: AgentDeployment") }),
    );
  });
});

it("offers what makes sense", () => {
  expect(actsOf({ desired: "running", state: "running" })).toEqual(["pause", "stop", "restart"]);
  expect(actsOf({ desired: "running", state: "failed" })).toEqual(["start", "stop"]);
  expect(actsOf({ desired: "stopped", state: "running" })).toEqual(["start"]);
  expect(actsOf({ desired: "paused", state: "paused" })).toEqual(["resume", "stop"]);
});

it("sends again only what has ended and is stored", () => {
  expect(replayRefusal(aRequest())).toBeNull();
  expect(replayRefusal(aRequest({ state: "pending" }))).toMatch(/waits/);
  expect(replayRefusal(aRequest({ state: "processing" }))).toMatch(/on its way/);
  expect(replayRefusal(aRequest({ replayable: false }))).toMatch(/not stored/);
});

it("reads variables line by line", () => {
  expect(readEnv("A=1\n\n B = 2=3 ")).toEqual({ env: { A: "1", B: " 2=3" }, wrong: null });
  expect(readEnv("A=1\nnothing")).toEqual({ env: { A: "1" }, wrong: "nothing" });
});

it("keeps the newest part of a log, from the beginning of a line", () => {
  const line = `${"x".repeat(99)}\n`;
  let log = "";
  for (let n = 0; n < 2100; n += 1) log = foldLog(log, { type: "log", text: line });
  expect(log.length).toBeLessThanOrEqual(200_000);
  expect(log.startsWith(line)).toBe(true);
  expect(foldLog("a\n", { type: "ended" })).toContain("not running");
});

it("writes bytes for people", () => {
  expect([null, 12, 1500, 512_000_000, 25_000_000_000].map(bytes)).toEqual([
    "–",
    "12 B",
    "1.5 kB",
    "512 MB",
    "25 GB",
  ]);
});
