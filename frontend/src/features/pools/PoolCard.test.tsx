import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, describe, expect, it, vi } from "vitest";
import { keys } from "@/api/keys";
import type { Pool } from "@/api/types";
import type { PoolsLive } from "@/realtime/pools/reducer";
import { faultsOf, renderPage } from "@/testing/render";
import { anAgent, aPerson, aPool } from "@/testing/shapes";
import { PoolCard } from "./PoolCard";

// jsdom has no canvas to draw on.
vi.mock("./Sparkline", () => ({ Sparkline: () => null }));
afterEach(() => vi.unstubAllGlobals());

const busy = aPool("census", {
  states: { starting: 1, idle: 2, active: 3, draining: 0, unhealthy: 0 },
  utilization: 0.6,
  waiting: 4,
  workflow: "code-census",
  min_size: 2,
  max_size: 6,
});

async function show(pool: Pool, agents = [anAgent("019ab9d0-7a1c-7e11-8f00-0123456789ab", pool.name)]) {
  stubAnswers({ "GET pools/": { results: [pool] }, "GET agents/": { results: agents } });
  const view = await renderPage(<PoolCard pool={pool} chosen={false} />);
  view.client.setQueryData<PoolsLive>(keys.pools(), { seq: 1, epoch: 1, pools: [pool], agents });
  return view;
}

/** Answers requests by "METHOD path"; remembers what was sent. */
function stubAnswers(answers: Record<string, unknown>, status = 200) {
  const sent: Record<string, unknown> = {};
  const answer = async (path: string, init?: RequestInit) => {
    const name = `${init?.method ?? "GET"} ${path.replace("/api/v1/", "")}`;
    if (init?.body) sent[name] = JSON.parse(String(init.body));
    return new Response(JSON.stringify(answers[name] ?? (path.endsWith("me/") ? aPerson() : {})), { status });
  };
  vi.stubGlobal("fetch", vi.fn(answer));
  return sent;
}

function figure(name: string): string | null {
  const term = within(screen.getByRole("region", { name: "census" })).getByText(name, { selector: "dt" });
  return within(term.parentElement as HTMLElement).getByRole("definition").textContent;
}

describe("a pool", () => {
  it("is a region named after it, with free, active and waiting as labelled figures", async () => {
    const { container } = await show(busy);
    expect(figure("free")).toBe("2");
    expect(figure("active")).toBe("3");
    expect(figure("waiting")).toBe("4");
    expect(screen.getByText("60 %")).toBeInTheDocument();
    expect(screen.getByRole("link", { name: "code-census" })).toHaveAttribute(
      "href",
      "/workflows/code-census",
    );
    expect(await faultsOf(container)).toEqual([]);
  });

  it("shows its agents as tiles that tell their state", async () => {
    await show(busy);
    const tile = await screen.findByRole("listitem", { name: "Agent 456789ab, idle, 0 uses" });
    expect(tile).toHaveAttribute("data-hue", "green");
  });

  it("says why it cannot make agents", async () => {
    await show(aPool("census", { problem: "The image nope:latest does not exist." }), []);
    expect(screen.getByRole("alert")).toHaveTextContent("nope:latest");
    expect(await screen.findByText("No agents yet; the first are on their way.")).toBeInTheDocument();
  });

  it("wears a badge while it is drained, and says how to resume it", async () => {
    const drained = aPool("census", { drained: true, waiting: 3 });
    const { container } = await show(drained, []);
    const sent = stubAnswers({ "POST pools/census/resume/": { ...drained, drained: false } });
    expect(screen.getByText("drained")).toHaveAttribute("data-hue", "amber");
    expect(screen.getByRole("status")).toHaveTextContent(
      "This pool is drained: nobody gets a lease until it is resumed. 3 steps wait for that.",
    );
    expect(await screen.findByText("No agents now: they start when the pool is resumed.")).toBeVisible();
    expect(await faultsOf(container)).toEqual([]);
    await userEvent.click(screen.getByRole("button", { name: "Resume" }));
    await waitFor(() => expect(sent).toHaveProperty(["POST pools/census/resume/"]));
  });

  it("tells a viewer why it stays drained", async () => {
    stubAnswers({ "GET me/": aPerson("viewer") });
    await renderPage(<PoolCard pool={aPool("census", { drained: true })} chosen={false} />);
    const resume = screen.getByRole("button", { name: "Resume" });
    await waitFor(() => expect(resume).toBeDisabled());
    expect(resume).toHaveAccessibleDescription(/needs the role operator/);
  });

  it("tells that it is saturated: since when, and what to expect", async () => {
    const since = new Date(Date.now() - 75_000).toISOString();
    const { container } = await show({ ...busy, waiting_since: since, wait_estimate: 42 });
    expect(screen.getByRole("status")).toHaveTextContent(
      /^4 steps wait for 5 agents, the first for 1 m 15 s\. Who asks now waits about 42(\.0)? s\./,
    );
    expect(await faultsOf(container)).toEqual([]);
  });

  it("says nothing of a queue that has just begun", async () => {
    await show({ ...busy, waiting_since: new Date().toISOString(), wait_estimate: 1 });
    expect(screen.queryByRole("status")).toBeNull();
  });

  it("tells what its agents really need, and gives them that", async () => {
    const figure = { now: 1, advised: 0.25, samples: 40, p50: 0.1, p90: 0.2, p95: 0.21, differs: true };
    const told = {
      pool: "census",
      since: "2026-11-25T12:00:00Z",
      cpu: figure,
      memory: { ...figure, now: 2 ** 29, advised: 2 ** 26 },
      sentence: "CPU: 1 core is more than it needs, 0.25 cores would do; memory: 512 MiB is right.",
      changes: { cpu: 0.25 },
    };
    stubAnswers({
      "GET me/": aPerson("operator"),
      "GET pools/census/advice/": told,
      "POST pools/census/advice/apply/": busy,
    });
    const { container } = await renderPage(<PoolCard pool={busy} chosen={false} />);
    expect(await screen.findByText(/0.25 cores would do/)).toBeVisible();
    expect(await faultsOf(container)).toEqual([]);
    await userEvent.click(screen.getByRole("button", { name: "Apply the advice for census" }));
    const asked = () => vi.mocked(fetch).mock.calls.map(([path]) => String(path));
    await waitFor(() => expect(asked()).toContain("/api/v1/pools/census/advice/apply/"));
  });

  it("advises nothing while too little is known", async () => {
    stubAnswers({ "GET me/": aPerson("operator"), "GET pools/census/advice/": { sentence: "Too little." } });
    await renderPage(<PoolCard pool={busy} chosen={false} />);
    await waitFor(() => expect(vi.mocked(fetch).mock.calls.join()).toContain("advice/"));
    expect(screen.queryByText(/Too little/)).toBeNull();
  });

  it("tells the limits of its agents, and with whom it is shared", async () => {
    await show(aPool("census", { cpu: 2, shares: [{ team: "acme", weight: 1 }] }));
    expect(figure("limits per agent")).toBe("2 cores, 512 MiB");
    expect(figure("shared with")).toBe("acme");
  });

  it("changes its sizes in place", async () => {
    await show(busy);
    const sent = stubAnswers({ "POST pools/census/resize/": busy });
    const person = userEvent.setup();
    await person.click(screen.getByRole("button", { name: "Change the sizes of census" }));
    const most = await screen.findByLabelText("Maximum");
    await person.clear(most);
    await person.type(most, "9");
    await person.click(screen.getByRole("button", { name: "Save" }));
    await waitFor(() => expect(sent["POST pools/census/resize/"]).toEqual({ min_size: 2, max_size: 9 }));
    await waitFor(() => expect(screen.queryByLabelText("Maximum")).toBeNull());
  });

  it("tells at the field why a size was refused, and keeps what was typed", async () => {
    await show(busy);
    const fault = { path: "min_size", message: "It must not be above max_size (1).", step: null };
    stubAnswers({ "POST pools/census/resize/": { detail: "Not valid.", errors: [fault] } }, 400);
    const person = userEvent.setup();
    await person.click(screen.getByRole("button", { name: "Change the sizes of census" }));
    await person.clear(await screen.findByLabelText("Maximum"));
    await person.type(screen.getByLabelText("Maximum"), "1");
    await person.click(screen.getByRole("button", { name: "Save" }));
    expect(await screen.findByText("It must not be above the maximum (1).")).toBeInTheDocument();
    expect(screen.getByLabelText("Maximum")).toHaveValue("1");
  });

  it("tells a viewer why its sizes stay", async () => {
    stubAnswers({ "GET me/": aPerson("viewer") });
    await renderPage(<PoolCard pool={busy} chosen={false} />);
    const change = screen.getByRole("button", { name: "Change the sizes of census" });
    await waitFor(() => expect(change).toBeDisabled());
    expect(change).toHaveAccessibleDescription(/needs the role operator in Default; yours is viewer/);
  });
});
