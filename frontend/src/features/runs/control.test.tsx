import { ModalsProvider } from "@mantine/modals";
import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, describe, expect, it, vi } from "vitest";
import { keys } from "@/api/keys";
import type { Run, Step } from "@/api/types";
import { stubApi } from "@/testing/api";
import { faultsOf, renderPage } from "@/testing/render";
import { aPerson, aRun, aStep } from "@/testing/shapes";
import { RunActions } from "./actions/RunActions";
import { Events, told } from "./drawer/Events";
import { Failures } from "./drawer/Failures";
import { metricOf, summarize } from "./drawer/metrics";
import { State } from "./drawer/State";
import { Iterations } from "./inspector/Iterations";
import { MapSettings } from "./inspector/MapSettings";
import { ProgressFacts } from "./inspector/ProgressFacts";
import { ApprovalCard } from "./waiting/ApprovalCard";
import { mayDecide, whoDecides } from "./waiting/asked";
import { WaitCard } from "./waiting/SendEvent";
import { needsReason, WhyNote } from "./waiting/WhyNote";
import { hasItems, itemsTold } from "./counts";
import { edgesOf, orderOf } from "./graph/edges";
import { progressOf } from "./progress";
import { definitionsIn, pathOf } from "./useDefinition";

afterEach(() => vi.unstubAllGlobals());

const AT = "2026-01-20T12:00:00Z";
const RUN = aRun();
const at = `runs/${RUN.id}/`;
const counts = (total: number, completed: number, failed: number, running = 0) => ({
  total,
  completed,
  failed,
  running,
});

describe("what one can do with a run", () => {
  const show = (run: Run, steps: Step[] = []) =>
    renderPage(
      <ModalsProvider>
        <RunActions run={run} steps={steps} />
      </ModalsProvider>,
    );

  it("is held, and goes on", async () => {
    const sent = stubApi({ "GET me/": aPerson(), [`POST ${at}pause/`]: RUN });
    const { container } = await show(RUN);
    const pause = screen.getByRole("button", { name: "Pause" });
    expect(pause).toHaveAccessibleDescription("Nothing new starts; what is running finishes first");
    expect(await faultsOf(container)).toEqual([]);
    await userEvent.click(pause);
    await waitFor(() => expect(sent).toHaveProperty([`POST ${at}pause/`]));
  });

  it("offers to resume what is paused, or about to be", async () => {
    stubApi({ "GET me/": aPerson() });
    await show(aRun({ pause_requested_at: AT }));
    expect(screen.getByRole("button", { name: "Resume" })).toBeEnabled();
    expect(screen.queryByRole("button", { name: "Pause" })).toBeNull();
  });

  it.each([
    ["viewer", "ada", /needs the role editor/],
    ["editor", "bob", /ada started this run/],
  ])("is closed to a %s called %s, with the reason", async (role, name, reason) => {
    stubApi({ "GET me/": aPerson(role, name) });
    await show(RUN);
    await waitFor(() => expect(screen.getByRole("button", { name: "Pause" })).toBeDisabled());
    expect(screen.getByRole("button", { name: "Cancel" })).toHaveAccessibleDescription(reason);
  });

  it("retries what was cancelled, on a newer version too", async () => {
    const fresh = aRun({ id: "fresh" });
    const sent = stubApi({
      "GET me/": aPerson(),
      "GET workflows/census/": { name: "census", version: 5, document: {} },
      [`POST ${at}retry/`]: fresh,
    });
    const { router } = await show(aRun({ state: "cancelled", finished_at: AT }));
    await userEvent.click(await screen.findByRole("button", { name: "Retry on another version" }));
    await userEvent.click(await screen.findByText("Retry on version 5, the newest"));
    await waitFor(() => expect(router.state.location.pathname).toBe("/runs/fresh"));
    expect(sent[`POST ${at}retry/`]).toEqual({ version: 5 });
  });

  it("replays with other params, filled in with the run's own", async () => {
    const params = { type: "object", properties: { root: { type: "string", title: "Root" } } };
    const sent = stubApi({
      "GET me/": aPerson(),
      "GET workflows/census/": { version: 2 },
      "GET workflows/census/versions/2/": { document: { params } },
      [`POST ${at}replay/`]: aRun({ id: "again" }),
    });
    const { router } = await show(aRun({ state: "completed", finished_at: AT, params: { root: "/srv" } }));
    await userEvent.click(screen.getByRole("button", { name: "More for this run" }));
    await userEvent.click(await screen.findByText("Replay with other params…"));
    const dialog = within(await screen.findByRole("dialog"));
    const root = await dialog.findByLabelText(/Root/);
    expect(root).toHaveValue("/srv");
    await userEvent.clear(root);
    await userEvent.type(root, "/home");
    await userEvent.click(dialog.getByRole("button", { name: "Start run" }));
    await waitFor(() => expect(router.state.location.pathname).toBe("/runs/again"));
    expect(sent[`POST ${at}replay/`]).toEqual({ params: { root: "/home" } });
  });
});

describe("an approval", () => {
  const form = {
    type: "object",
    properties: { title: { type: "string", title: "Title" } },
    required: ["title"],
  };
  const asked = { prompt: "Publish?", form, approvers: ["role:operator"] };
  const step = aStep("ok", { type: "approval", state: "waiting", input: asked });

  it("takes the form's data with the approval", async () => {
    const sent = stubApi({ "GET me/": aPerson("operator"), [`POST ${at}steps/ok/decide/`]: RUN });
    const { container } = await renderPage(<ApprovalCard run={RUN.id} step={step} />);
    await userEvent.type(await screen.findByLabelText(/Title/), "News");
    expect(await faultsOf(container)).toEqual([]);
    await userEvent.click(screen.getByRole("button", { name: "Approve" }));
    expect(await screen.findByText(/Your decision is sent/)).toBeVisible();
    expect(sent[`POST ${at}steps/ok/decide/`]).toEqual({ approve: true, data: { title: "News" } });
  });

  it("is rejected without the form", async () => {
    const sent = stubApi({ "GET me/": aPerson(), [`POST ${at}steps/ok/decide/`]: RUN });
    await renderPage(<ApprovalCard run={RUN.id} step={step} />);
    await userEvent.click(screen.getByRole("button", { name: "Reject" }));
    await waitFor(() => expect(sent[`POST ${at}steps/ok/decide/`]).toEqual({ approve: false, data: null }));
  });

  it("says whose it is to those who may not decide", async () => {
    stubApi({ "GET me/": aPerson("viewer") });
    await renderPage(<ApprovalCard run={RUN.id} step={step} />);
    await waitFor(() => expect(screen.getByRole("button", { name: "Approve" })).toBeDisabled());
    expect(screen.getByRole("button", { name: "Reject" })).toHaveAccessibleDescription(
      "This is for operators to decide.",
    );
  });

  it("tells who decided", async () => {
    stubApi({});
    const output = { approved: true, by: "grace", at: AT, data: { title: "News" } };
    await renderPage(<ApprovalCard run={RUN.id} step={{ ...step, state: "completed", output }} />);
    expect(screen.getByText(/Approved by grace/)).toBeVisible();
    expect(screen.queryByRole("button", { name: "Approve" })).toBeNull();
  });

  it("knows who may", () => {
    expect(mayDecide(["role:operator"], { username: "ada", role: "admin" })).toBe(true);
    expect(mayDecide(["role:operator"], { username: "ada", role: "editor" })).toBe(false);
    expect(mayDecide(["user:ada", "role:nobody"], { username: "ada", role: "viewer" })).toBe(true);
    expect(whoDecides(["role:operator", "user:ada"])).toBe("operators, ada");
  });
});

describe("a step that waits for an event", () => {
  const step = aStep("delivery", { type: "wait", state: "waiting", input: { event: "delivered" } });

  it("gets it from the page, and says what is no JSON", async () => {
    const sent = stubApi({ "GET me/": aPerson(), [`POST ${at}signal/`]: RUN });
    const { container } = await renderPage(<WaitCard run={RUN.id} step={step} />);
    expect(await faultsOf(container)).toEqual([]);
    const payload = screen.getByLabelText("Payload (JSON)");
    await userEvent.type(payload, "heavy");
    await userEvent.click(screen.getByRole("button", { name: "Send event" }));
    expect(await screen.findByText(/This is not JSON/)).toBeVisible();
    await userEvent.clear(payload);
    await userEvent.type(payload, "3.2");
    await userEvent.click(screen.getByRole("button", { name: "Send event" }));
    await waitFor(() => expect(sent[`POST ${at}signal/`]).toEqual({ name: "delivered", payload: 3.2 }));
  });
});

describe("why something waits", () => {
  it("is one sentence, with the facts on hover", async () => {
    const facts = { pool: "python", position: 3, states: { idle: 0 } };
    stubApi({ [`GET ${at}steps/a/why/`]: { code: "pool_full", sentence: "Number 3 in the queue.", facts } });
    await renderPage(<WhyNote run={RUN.id} step="a" item={4} state="queued" />);
    await userEvent.hover(await screen.findByText("Number 3 in the queue."));
    expect(await screen.findByText("idle 0")).toBeInTheDocument();
    const asked = vi.mocked(fetch).mock.calls.map(([url]) => String(url));
    expect(asked[0]).toMatch(/why\/\?item=4$/);
  });

  it("tells that the pool is drained", async () => {
    const sentence = "Pool python is drained; somebody must resume it.";
    const facts = { pool: "python", states: { idle: 0 }, waiting: 3, max_size: 4 };
    stubApi({ [`GET ${at}steps/a/why/`]: { code: "pool_drained", sentence, facts } });
    await renderPage(<WhyNote run={RUN.id} step="a" state="queued" />);
    await userEvent.hover(await screen.findByText(sentence));
    expect(await screen.findByText("max size")).toBeInTheDocument();
  });

  it("is asked for what is not running", () => {
    const states = ["pending", "queued", "running", "waiting", "completed", "skipped"];
    expect(states.filter((state) => needsReason({ state, type: "task" }))).toEqual([
      "pending",
      "queued",
      "waiting",
      "skipped",
    ]);
    expect(needsReason({ state: "running", type: "workflow" })).toBe(true);
  });
});

describe("a map", () => {
  it("never tells of open items when it has ended", () => {
    const map = aStep("m", { type: "map", counts: counts(3, 1, 1) });
    expect(itemsTold({ ...map, state: "running" })).toBe("2 of 3 ended");
    expect(itemsTold({ ...map, state: "failed" })).toBe("1 of 3 done, 1 failed, 1 cancelled");
    const whole = aStep("m", { type: "map", state: "completed", counts: counts(1000, 1000, 0) });
    expect(itemsTold(whole)).toBe("1,000 of 1,000 done");
    expect(["map", "mapreduce", "reduce"].map((type) => hasItems({ type }))).toEqual([true, true, false]);
  });

  it("groups its failures by cause", async () => {
    const error = { type: "KeyError", message: "'x'" };
    const results = [
      { cause: "a", title: "KeyError: 'x'", count: 40, samples: [{ index: 7, error }] },
      { cause: "b", title: "ValueError: bad", count: 2, samples: [{ index: 9, error: null }] },
    ];
    stubApi({ [`GET ${at}steps/m/failures/`]: { results } });
    const choose = vi.fn();
    const step = aStep("m", { type: "map", counts: counts(60, 18, 42) });
    const { container } = await renderPage(<Failures id={RUN.id} step={step} onChoose={choose} />);
    expect(await screen.findByText("42 failed items, 2 causes")).toBeVisible();
    expect(screen.getByText("and 39 more")).toBeVisible();
    await userEvent.click(screen.getByRole("button", { name: "item 7" }));
    expect(choose).toHaveBeenCalledWith(7);
    expect(await faultsOf(container)).toEqual([]);
  });

  it("takes other settings while it runs", async () => {
    const document = { steps: [{ id: "m", type: "map", max_parallel: 2 }] };
    const sent = stubApi({
      "GET me/": aPerson(),
      "GET workflows/census/versions/2/": { document },
      [`PATCH ${at}steps/m/`]: aStep("m"),
    });
    const step = aStep("m", { type: "map", state: "running", settings: { error_strategy: "continue" } });
    await renderPage(<MapSettings run={RUN} step={step} />);
    expect(await screen.findByText("at most 2")).toBeVisible();
    expect(screen.getByText("Go on, whatever fails")).toBeVisible();
    await userEvent.click(screen.getByRole("button", { name: "Change" }));
    const width = screen.getByLabelText("In parallel, at most");
    await userEvent.clear(width);
    await userEvent.type(width, "8");
    await userEvent.click(screen.getByRole("button", { name: "Save" }));
    await waitFor(() =>
      expect(sent[`PATCH ${at}steps/m/`]).toEqual({ max_parallel: 8, error_strategy: "continue" }),
    );
  });
});

describe("a loop", () => {
  it("shows one iteration at a time", async () => {
    const inner = (n: number) => aStep(`refine.${n}.improve`, { state: "completed" });
    stubApi({ [`GET ${at}steps/`]: { results: [inner(6)] } });
    const loop = aStep("refine", { type: "loop", state: "completed", counts: counts(7, 7, 0) });
    const { client, router } = await renderPage(<Iterations run={RUN.id} loop={loop} />, "/runs/1");
    client.setQueryData(keys.runLive(RUN.id), { seq: 1, run: RUN, steps: [loop, inner(6)] });
    expect(await screen.findByText(/Iteration 7 of 7/)).toBeVisible();
    expect(screen.getByRole("button", { name: "The next iteration" })).toBeDisabled();
    await userEvent.click(await screen.findByRole("button", { name: /improve/ }));
    expect(router.state.location.search).toMatchObject({ step: "refine.6.improve" });
    await userEvent.click(screen.getByRole("button", { name: "The iteration before" }));
    expect(screen.getByText(/Iteration 6 of 7/)).toBeVisible();
    const asked = vi.mocked(fetch).mock.calls.map(([url]) => String(url));
    await waitFor(() =>
      expect(asked.concat(vi.mocked(fetch).mock.calls.map(String)).join()).toContain("refine.5"),
    );
  });
});

describe("progress", () => {
  it.each([
    [0.5, { share: 0.5, message: null, figures: [] }],
    [
      { value: 2, message: "half" },
      { share: 1, message: "half", figures: [] },
    ],
    [
      { seen: 1200, rate: 0.123456 },
      {
        share: null,
        message: null,
        figures: [
          ["seen", "1,200"],
          ["rate", "0.12346"],
        ],
      },
    ],
    [{ run: "x" }, null],
    [null, null],
  ])("%o", (progress, told) => expect(progressOf({ progress, type: "task" })).toEqual(told));

  it("is a bar with its words", async () => {
    const step = aStep("a", { progress: { value: 0.25, message: "warming up", seen: 3 } });
    const { container } = await renderPage(<ProgressFacts step={step} />);
    expect(screen.getByRole("progressbar")).toHaveAttribute("aria-valuenow", "25");
    expect(screen.getByText("warming up")).toBeVisible();
    expect(await faultsOf(container)).toEqual([]);
  });
});

describe("the graph", () => {
  const document = {
    steps: [
      { id: "route", type: "branch" },
      { id: "long", type: "task", compensate: "undo" },
      { id: "short", type: "task" },
      { id: "undo", type: "task" },
      { id: "refine", type: "loop", steps: [{ id: "improve", type: "task" }] },
    ],
  };
  const definitions = definitionsIn(document);
  const steps = [
    aStep("route", { type: "branch", state: "completed" }),
    aStep("long", { needs: ["route"], state: "running" }),
    aStep("short", { needs: ["route"], state: "skipped", reason: "branch" }),
    aStep("undo"),
  ];

  it("tells the way that a branch chose, the one it passed by, and what undoes what", () => {
    const ways = edgesOf(steps, definitions).map(({ id, way, taken, flows }) => [id, way, taken, flows]);
    expect(ways).toEqual([
      ["route>long", "chosen", true, true],
      ["long~undo", "undo", false, false],
      ["route>short", "passed", false, false],
    ]);
  });

  it("stands what undoes a step after it", () => {
    expect(orderOf(steps, definitions).get("undo")).toEqual(["long"]);
  });

  it("finds steps inside loops by their path", () => {
    expect(definitions.has("refine.improve")).toBe(true);
    expect(pathOf("refine.12.improve")).toBe("refine.improve");
    expect(pathOf("a.1.b.2.c")).toBe("a.b.c");
  });
});

describe("the drawer", () => {
  it("lists the run's state", async () => {
    const value = { key: "guesses", value: [1.5], version: 4, updated_at: AT, expires_at: null };
    stubApi({ [`GET ${at}state/`]: { results: [value] } });
    const { container } = await renderPage(<State run={RUN} />);
    expect(await screen.findByText("guesses")).toBeVisible();
    expect(screen.getByText("[1.5]")).toBeVisible();
    expect(await faultsOf(container)).toEqual([]);
  });

  it("shows every event, those that only name their step too", async () => {
    const results = [
      { seq: 1, type: "step.progress", at: AT, data: { step: "a", progress: { seen: 1 } } },
      { seq: 2, type: "step.decided", at: AT, data: { step: "ok", approved: true, by: "ada", run: RUN } },
    ];
    stubApi({ [`GET ${at}events/`]: { results, next: null, previous: null } });
    await renderPage(<Events id={RUN.id} />);
    await waitFor(() => expect(screen.getByRole("region", { name: "Events" })).toBeInTheDocument());
    expect(results.map(told)).toEqual(['a: {"seen":1}', "ok: approved by ada"]);
  });

  it("sums metrics up", () => {
    const line = (text: string, stream = "metric") => ({
      id: 1,
      at: AT,
      step: "a",
      item: null,
      attempt: 1,
      stream,
      text,
    });
    expect(metricOf(line("hello", "stdout"))).toBeNull();
    expect(metricOf(line("no json"))).toBeNull();
    const lines = [
      line('{"name": "load", "value": 1}'),
      line("x", "stdout"),
      line('{"name": "load", "value": 3}'),
    ];
    expect(summarize(lines)).toEqual([{ step: "a", name: "load", count: 2, last: 3, mean: 2 }]);
  });
});
