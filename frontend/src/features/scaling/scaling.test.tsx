import { ModalsProvider } from "@mantine/modals";
import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Decision, PolicyInForce, Pool } from "@/api/types";
import { stubApi } from "@/testing/api";
import { faultsOf, renderPage } from "@/testing/render";
import { aDecision, aForecast, aPerson, aPool, inForce, policyValues, signals } from "@/testing/shapes";
import PoolScalingPage from "./PoolScalingPage";
import ScalingPage from "./ScalingPage";

const route = vi.hoisted(() => ({ pool: "census" }));
// jsdom has no canvas to draw on, and no websockets to follow.
vi.mock("@/components/TimeChart", () => ({
  TimeChart: ({ label }: { label: string }) => <div role="img" aria-label={label} />,
}));
vi.mock("@/realtime/feed", () => ({ openFeed: () => () => undefined, socketUrl: () => "" }));
vi.mock(import("@tanstack/react-router"), async (original) => ({
  ...(await original()),
  useParams: (() => route) as never,
}));
beforeEach(() => {
  route.pool = "census";
});
afterEach(() => vi.unstubAllGlobals());

const census = aPool("census", {
  states: { starting: 1, idle: 0, active: 2, draining: 0, unhealthy: 0 },
  target_size: 3,
  leases: 2,
  waiting: 4,
});
const up = aDecision(8, { at: new Date().toISOString() });
const down = aDecision(7, {
  action: "scale_down",
  reason: "idle",
  current_size: 4,
  target_size: 3,
  explanation: "Nobody asks for agents; from 4 to 3",
  clamped_by: ["step_down"],
  at: new Date().toISOString(),
});
const written: PolicyInForce = inForce("census", {
  mode: "shadow",
  policy: {
    id: "p1",
    pool: "census",
    workflow: null,
    preset: "aggressive",
    mode: "shadow",
    values: { max: 4 },
    updated_at: up.at,
  },
});
const PRESETS = {
  results: (["aggressive", "balanced", "conservative", "reactive"] as const).map((name) => ({
    name,
    values: policyValues({ target_utilization: name === "aggressive" ? 0.6 : 0.7 }),
  })),
};

interface Scene {
  pools?: Pool[];
  decisions?: Decision[];
  policies?: PolicyInForce[];
  role?: string;
  answers?: Record<string, unknown>;
  statuses?: Record<string, number>;
}

function stub({ pools = [census], decisions = [up, down], policies = [inForce("census")], ...more }: Scene) {
  return stubApi(
    {
      "GET me/": aPerson(more.role),
      "GET pools/": { results: pools },
      "GET agents/": { results: [] },
      "GET decisions/": { results: decisions, next: null, previous: null },
      "GET policies/in-force/": { results: policies },
      "GET policies/presets/": PRESETS,
      "GET forecasts/": { results: [] },
      ...more.answers,
    },
    more.statuses,
  );
}

async function showList(scene: Scene = {}) {
  const sent = stub(scene);
  const view = await renderPage(<ScalingPage />);
  await screen.findByRole("heading", { name: "Scaling" });
  return { ...view, sent };
}

async function showPool(scene: Scene = {}, search = "") {
  const sent = stub(scene);
  const view = await renderPage(
    <ModalsProvider>
      <PoolScalingPage />
    </ModalsProvider>,
    `/scaling/census${search}`,
  );
  return { ...view, sent, person: userEvent.setup() };
}

const urlOf = (view: { router: { state: { location: { search: unknown } } } }) =>
  view.router.state.location.search;

describe("the list of pools", () => {
  it("tells of each its policy, size, load and the last decision in a sentence", async () => {
    const { container } = await showList({ policies: [written] });
    const row = within((await screen.findByText("census")).closest("tr") as HTMLTableRowElement);
    expect(await row.findByText(/aggressive, 1 field set/)).toBeInTheDocument();
    expect(row.getByText("shadow")).toHaveAttribute("data-hue", "violet");
    expect(row.getByText("4 wait")).toBeInTheDocument();
    expect(await row.findByText(/2 callers wait: 3 agents are needed/)).toBeInTheDocument();
    expect(row.getByRole("link", { name: "census" })).toHaveAttribute("href", "/scaling/census");
    expect(await faultsOf(container)).toEqual([]);
  });

  it("tells agents on standby from those of the size", async () => {
    const states = { starting: 0, idle: 2, active: 2, draining: 0, unhealthy: 0 };
    const busy = aPool("busy", { states, target_size: 3, standby: 1 });
    const falling = aPool("falling", { states, target_size: 3 });
    await showList({ pools: [busy, falling] });
    const rowOf = (name: string) => within(screen.getByText(name).closest("tr") as HTMLTableRowElement);
    expect(await screen.findByText("1 on standby")).toBeVisible();
    expect(rowOf("busy").queryByText(/→/)).toBeNull();
    expect(rowOf("falling").getByText(/4 → 3/)).toBeVisible();
    expect(rowOf("falling").queryByText(/on standby/)).toBeNull();
  });

  it("says how pools without a policy are sized", async () => {
    const cold = inForce("cold", { steered: false });
    await showList({ pools: [census, aPool("cold")], policies: [inForce("census"), cold] });
    expect(await screen.findByText("nobody wrote one")).toBeInTheDocument();
    expect(await screen.findByText("follows the work at hand")).toBeInTheDocument();
  });

  it("leaves out the pools that other teams share: their sizes are theirs to decide", async () => {
    await showList({ pools: [census, aPool("theirs", { team: "acme" })] });
    await screen.findByText("census");
    await waitFor(() => expect(screen.queryByText("theirs")).toBeNull());
  });

  it("tells of those that are forecast the floor, or that there is none", async () => {
    const cold = aForecast("cold", { on: false, explanation: "The forecast is not heeded: too new." });
    await showList({
      pools: [census, aPool("cold")],
      answers: { "GET forecasts/": { results: [aForecast("census"), cold] } },
    });
    expect(await screen.findByText("forecast: 7 agents at least")).toBeVisible();
    expect(screen.getByText("forecast not heeded")).toHaveAttribute("title", cold.explanation);
  });

  it("explains itself while there is no pool, and what went wrong when something did", async () => {
    await showList({ pools: [], statuses: { "GET policies/in-force/": 503 } });
    expect(await screen.findByText("No pools to scale yet")).toBeInTheDocument();
    expect(await screen.findByRole("alert")).toBeInTheDocument();
  });
});

describe("a pool's scaling", () => {
  it("draws size, target and load, and lists each change with its reason", async () => {
    const { container } = await showPool();
    expect(
      await screen.findByRole("img", { name: /Size, target and load over time: .* after 2 changes/ }),
    ).toBeVisible();
    const table = await screen.findByRole("table", { name: "Decisions" });
    expect(within(table).getByText("queue depth")).toBeInTheDocument();
    expect(within(table).getByRole("button", { name: /Nobody asks for agents/ })).toBeInTheDocument();
    expect(await faultsOf(container)).toEqual([]);
  });

  it("keeps its filters and its stretch of time in the address", async () => {
    const { person, ...view } = await showPool();
    await person.click(await screen.findByRole("radio", { name: "6 h" }));
    expect(urlOf(view)).toMatchObject({ range: "6h" });
    await person.click(screen.getByRole("combobox", { name: "Reason" }));
    await person.click(await screen.findByRole("option", { name: "idle" }));
    await waitFor(() => expect(urlOf(view)).toMatchObject({ reason: "idle", range: "6h" }));
    await person.click(screen.getByRole("combobox", { name: "Action" }));
    await person.click(await screen.findByRole("option", { name: "Only held" }));
    await waitFor(() => expect(urlOf(view)).toMatchObject({ action: "hold" }));
    const asked = vi.mocked(fetch).mock.calls.map(([url]) => String(url));
    expect(asked.some((url) => url.includes("action=hold") && url.includes("reason=idle"))).toBe(true);
  });

  it("says what to do while nothing was decided", async () => {
    const { person, ...view } = await showPool({ decisions: [] });
    expect(await screen.findByText(/The size has not changed yet/)).toBeVisible();
    expect(screen.getByText("Nothing was decided in this time.")).toBeVisible();
    await person.click(screen.getByRole("button", { name: "Show holds too" }));
    await waitFor(() => expect(urlOf(view)).toMatchObject({ action: "all" }));
  });

  it("leads back from a pool that is none", async () => {
    route.pool = "gone";
    await showPool();
    expect(await screen.findByText("There is no pool gone")).toBeInTheDocument();
  });
});

describe("a pool's forecast", () => {
  const asForecast = (fields: Parameters<typeof aForecast>[1] = {}) =>
    showPool({ answers: { "GET forecasts/": { results: [aForecast("census", fields)] } } });
  const panel = async () => within(await screen.findByRole("region", { name: "Forecast" }));

  it("tells who makes it, its floor, its loss against the last value, and how often it held", async () => {
    const { container } = await asForecast();
    const shown = await panel();
    const figure = async (label: string) => (await shown.findByText(label)).nextElementSibling;
    expect(await figure("floor")).toHaveTextContent("7 agents");
    expect(await figure("expected at most (90 %)")).toHaveTextContent("5.25 at once");
    expect(await figure("forecaster")).toHaveTextContent("naive");
    expect(await figure("loss, against the last value")).toHaveTextContent("25 % less");
    expect(await figure("held, of 90 % promised")).toHaveTextContent("93 %");
    expect(shown.getByText("heeded")).toHaveAttribute("data-hue", "green");
    const table = within(shown.getByRole("table", { name: "Forecasters" }));
    const naive = table.getByText("serves").closest("tr") as HTMLTableRowElement;
    for (const text of ["0.3", "25 % less", "93 %", "1,440"]) {
      expect(within(naive).getByText(text)).toBeVisible();
    }
    expect(table.getByText("scikit-learn is not installed")).toBeVisible();
    expect(shown.getByRole("img", { name: /of 2 forecasts 1 held; .* 6 came/ })).toBeVisible();
    expect(await faultsOf(container)).toEqual([]);
  });

  it("says that it is switched off while it does not pay, and what its floor would be", async () => {
    const explanation = "The forecast is not heeded: the last value alone forecasts as well.";
    await asForecast({ on: false, why: "no_better", explanation });
    const shown = await panel();
    expect(await shown.findByText(explanation)).toBeVisible();
    expect(shown.getByText("not heeded")).toBeVisible();
    expect(shown.getByText("floor, if it were heeded").nextElementSibling).toHaveTextContent("7 agents");
  });

  it("has no figures where the policy asks for none", async () => {
    const explanation = "The forecast is not heeded: its policy asks for no prediction.";
    await asForecast({ on: false, why: "not_asked", explanation, predictor: null, forecasters: [] });
    const shown = await panel();
    expect(await shown.findByText(explanation)).toBeVisible();
    expect(shown.queryByText("forecaster")).toBeNull();
    expect(shown.queryByRole("table")).toBeNull();
  });

  it("is its team's alone", async () => {
    const { sent } = await showPool({ pools: [{ ...census, team: "acme" }] });
    await screen.findByRole("table", { name: "Decisions" });
    expect(screen.queryByRole("region", { name: "Forecast" })).toBeNull();
    expect(sent).not.toHaveProperty(["GET forecasts/"]);
  });

  it("is chosen in the policy", async () => {
    const { sent, person } = await showPool(
      { policies: [written], answers: { "PATCH policies/p1/": written.policy } },
      "?edit=policy",
    );
    expect(await screen.findByRole("combobox", { name: "Forecaster" })).toBeDisabled();
    await person.click(screen.getByRole("switch", { name: /Prediction/ }));
    await person.click(screen.getByRole("combobox", { name: "Forecaster" }));
    await person.click(await screen.findByRole("option", { name: "Learned (ml-based)" }));
    await person.click(screen.getByRole("button", { name: "Save" }));
    await waitFor(() =>
      expect(sent["PATCH policies/p1/"]).toEqual({ prediction: "on", predictor: "ml-based" }),
    );
  });
});

describe("a decision", () => {
  const seen = { ...down, signals: signals({ waiting: 2, oldest_wait: 1.5, affordable: 9 }) };

  it("opens with its sentence, what it saw, what limited it, and each rule's wish", async () => {
    const { person, ...view } = await showPool({ decisions: [up, seen] });
    await person.click(await screen.findByRole("button", { name: /Nobody asks for agents/ }));
    const dialog = within(await screen.findByRole("dialog", { name: "Decision 7" }));
    expect(urlOf(view)).toMatchObject({ decision: 7 });
    expect(dialog.getByText("Only so many agents leave at a time")).toBeVisible();
    expect(dialog.getByText("2, the first for 1.5 s")).toBeVisible();
    expect(dialog.getByText("9 agents")).toBeVisible();
    expect(dialog.getByText("30 a minute")).toBeVisible();
    expect(dialog.getByText("response time")).toBeVisible();
    expect(await faultsOf(document.body)).toEqual([]);
    await person.keyboard("{Escape}");
    await waitFor(() => expect(urlOf(view)).not.toHaveProperty("decision"));
  });

  it("is asked for when its address is all that one has", async () => {
    await showPool({ decisions: [], answers: { "GET decisions/7/": seen } }, "?decision=7");
    expect(await screen.findByText("Nobody asks for agents; from 4 to 3.")).toBeVisible();
  });

  it.each([
    [true, /The same decision: down, 3 agents, by idle/],
    [false, /Another decision than was recorded/],
  ])("is replayed, and says whether it is the same (%s)", async (same, words) => {
    const again = {
      same,
      action: "scale_down",
      target_size: 3,
      reason: "idle",
      candidates: {},
      clamped_by: [],
    };
    const answers = { "POST decisions/7/replay/": again };
    const { person } = await showPool({ decisions: [seen], answers }, "?decision=7");
    await person.click(await screen.findByRole("button", { name: "Replay" }));
    expect(await screen.findByText(words)).toBeVisible();
  });
});

describe("the policy editor", () => {
  const open = (scene: Scene = {}) => showPool(scene, "?edit=policy");
  const type = async (label: string, text: string) => {
    const field = await screen.findByLabelText(label);
    await userEvent.clear(field);
    await userEvent.type(field, text);
  };
  const save = () => userEvent.click(screen.getByRole("button", { name: "Save" }));

  it("makes a policy of what is set beside the preset, and tries it in shadow", async () => {
    const { sent, person } = await open({ answers: { "POST policies/": written.policy } });
    await type("Cooldown", "90");
    await type("Target utilization", "55");
    await person.click(screen.getByRole("radio", { name: "Shadow" }));
    await person.click(screen.getByRole("switch", { name: /Prediction/ }));
    expect(screen.getByText(/changes nothing: to try a policy/)).toBeVisible();
    expect(await faultsOf(document.body)).toEqual([]);
    await save();
    const body = {
      pool: "census",
      preset: "balanced",
      mode: "shadow",
      cooldown: 90,
      target_utilization: 0.55,
      prediction: "on",
    };
    await waitFor(() => expect(sent["POST policies/"]).toEqual(body));
    await waitFor(() => expect(screen.queryByLabelText("Cooldown")).toBeNull());
  });

  it("changes what was changed alone; an emptied field goes back to the preset's", async () => {
    const { sent, person } = await open({
      policies: [written],
      answers: { "PATCH policies/p1/": written.policy },
    });
    expect(await screen.findByLabelText("Maximum")).toHaveValue("4");
    expect(screen.getByRole("button", { name: "Save" })).toBeDisabled();
    expect(screen.getByLabelText("Target utilization")).toHaveAttribute("placeholder", "60 %");
    await person.clear(screen.getByLabelText("Maximum"));
    await person.click(screen.getByRole("checkbox", { name: /Utilization/ }));
    await save();
    const metrics = ["queue_depth", "response_time", "schedule", "utilization"];
    await waitFor(() => expect(sent["PATCH policies/p1/"]).toEqual({ max: null, metrics }));
  });

  it("shows the server's faults at their fields, in the form's words", async () => {
    const errors = [
      { path: "scale_down_threshold", message: "It must lie below scale_up_threshold (0.2).", step: null },
      { path: "metrics[0]", message: "cpu is no metric.", step: null },
    ];
    await open({
      answers: { "POST policies/": { detail: "Not valid.", errors } },
      statuses: { "POST policies/": 400 },
    });
    await type("Lower threshold", "60");
    await save();
    await waitFor(() => expect(screen.getByLabelText("Lower threshold")).toBeInvalid());
    expect(screen.getByLabelText("Lower threshold")).toHaveAccessibleDescription(/below the upper threshold/);
    expect(screen.getByText("cpu is no metric.")).toBeVisible();
    expect(screen.getByLabelText("Lower threshold")).toHaveValue("60 %");
    expect(screen.queryByRole("alert")).toBeNull();
  });

  it("says that a workflow's policy counts so far, and removes the pool's own", async () => {
    const nightly = { ...written.policy, pool: null, workflow: "nightly" } as PolicyInForce["policy"];
    const view = await open({ policies: [inForce("census", { policy: nightly })] });
    expect(await screen.findByText(/The policy of nightly counts for this pool/)).toBeVisible();
    expect(screen.queryByRole("button", { name: "Remove policy" })).toBeNull();
    view.unmount();
    const own = await open({ policies: [written], answers: { "DELETE policies/p1/": {} } });
    await userEvent.click(await screen.findByRole("button", { name: "Remove policy" }));
    await waitFor(() => expect(own.sent).toHaveProperty(["DELETE policies/p1/"]));
  });

  it("is an operator's", async () => {
    await showPool({ role: "editor" });
    const edit = await screen.findByRole("button", { name: "Edit policy" });
    await waitFor(() => expect(edit).toBeDisabled());
    expect(edit).toHaveAccessibleDescription(/needs the role operator/);
  });
});
