import { ModalsProvider } from "@mantine/modals";
import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Budget, Burn, SpendLine } from "@/api/types";
import { stubApi } from "@/testing/api";
import { faultsOf, renderPage } from "@/testing/render";
import { aPerson, aPool } from "@/testing/shapes";
import BudgetsPage from "./BudgetsPage";
import { burnDown, usedUpAt } from "./burning";

// jsdom has no canvas to draw on.
vi.mock("@/components/TimeChart", () => ({
  TimeChart: ({ label }: { label: string }) => <div role="img" aria-label={label} />,
}));
afterEach(() => vi.unstubAllGlobals());

const HOUR = 3_600_000;
const START = Date.now() - 6 * HOUR;
const iso = (at: number) => new Date(at).toISOString();

function aBudget(fields: Partial<Budget> = {}): Budget {
  return {
    id: "b1",
    scope: "team",
    target: null,
    period: "day",
    timezone: "Europe/Berlin",
    currency: "USD",
    limit: "10",
    spent: "4.000000000",
    reserved: "1.000000000",
    forecast: "16.000000000",
    mode: "enforce",
    state: "warning",
    waiting: 0,
    starts_at: iso(START),
    ends_at: iso(START + 24 * HOUR),
    alerts: [{ threshold: "forecast", at: iso(START + HOUR) }],
    updated_at: iso(START),
    ...fields,
  };
}

function aBurn(fields: Partial<Burn> = {}): Burn {
  return {
    starts_at: iso(START),
    ends_at: iso(START + 24 * HOUR),
    currency: "USD",
    limit: "10",
    forecast: "16",
    points: [
      { at: iso(START + HOUR), spent: "1" },
      { at: iso(START + 6 * HOUR), spent: "4" },
    ],
    ...fields,
  };
}

function aLine(name: string, fields: Partial<SpendLine> = {}): SpendLine {
  return {
    name,
    agent_seconds: 15_120,
    cost: "0.42",
    busy_seconds: 3780,
    busy_cost: "0.105",
    idle_seconds: 11_340,
    idle_cost: "0.315",
    ...fields,
  };
}

const spend = {
  group: "pool",
  currency: "USD",
  since: iso(START),
  until: iso(START),
  lines: [aLine("parsers")],
  total: aLine("default"),
};

async function show(
  budgets: Budget[],
  answers: Record<string, unknown> = {},
  role = "admin",
  statuses = {},
  at = "",
) {
  const sent = stubApi(
    {
      "GET me/": aPerson(role),
      "GET budgets/": { results: budgets },
      "GET budgets/b1/burn/": aBurn(),
      "GET spend/": spend,
      "GET pools/": { results: [aPool("parsers"), aPool("theirs", { team: "acme" })] },
      "GET agents/": { results: [] },
      ...answers,
    },
    statuses,
  );
  const view = await renderPage(
    <ModalsProvider>
      <BudgetsPage />
    </ModalsProvider>,
    `/budgets${at}`,
  );
  await screen.findByRole("heading", { name: "Budgets" });
  return { ...view, sent, person: userEvent.setup() };
}

const card = async (name: string) => within(await screen.findByRole("region", { name }));

describe("a budget", () => {
  it("tells in money what was spent, reserved, is left and expected, and when it will be used up", async () => {
    const { container } = await show([aBudget()]);
    const team = await card("The whole team");
    for (const text of ["$4.00", "$1.00", "$5.00", "$16.00", "watch it"]) {
      expect(team.getByText(text)).toBeInTheDocument();
    }
    expect(team.getByText(/\$10.00 a day, Europe\/Berlin/)).toBeInTheDocument();
    expect(await team.findByText(/it is used up in/)).toBeInTheDocument();
    expect(team.getByText("It was seen that it would not last")).toBeInTheDocument();
    expect(await team.findByRole("img", { name: /What is left of \$10.00/ })).toBeInTheDocument();
    expect(await faultsOf(container)).toEqual([]);
  });

  it("says what it holds up when it is exhausted, and that counting alone holds nothing up", async () => {
    const parsers = { scope: "pool", target: "parsers", state: "exhausted" } as const;
    await show([aBudget({ ...parsers, waiting: 3 })]);
    const pool = await card("Pool parsers");
    expect(pool.getByRole("status")).toHaveTextContent(
      "3 calls wait for this budget. Nothing new starts until the next period, or a higher limit.",
    );
    expect(pool.getByText("exhausted")).toHaveAttribute("data-hue", "red");
  });

  it("is deleted only after it was said what that means", async () => {
    const { sent, person } = await show([aBudget()], { "DELETE budgets/b1/": {} });
    await person.click(await screen.findByRole("button", { name: "Delete the budget of The whole team" }));
    expect(await screen.findByText(/what waits for it goes on/)).toBeVisible();
    expect(sent).not.toHaveProperty(["DELETE budgets/b1/"]);
    await person.click(screen.getByRole("button", { name: "Delete budget" }));
    await waitFor(() => expect(sent).toHaveProperty(["DELETE budgets/b1/"]));
  });

  it("has its cap changed, and shows the server's fault at the field", async () => {
    const errors = [{ path: "limit", message: "From 0 to 1000000.", step: null }];
    const { person, sent } = await show(
      [aBudget()],
      { "PATCH budgets/b1/": { detail: "Not valid.", errors } },
      "admin",
      { "PATCH budgets/b1/": 400 },
    );
    await person.click(await screen.findByRole("button", { name: "Edit the budget of The whole team" }));
    const limit = await screen.findByLabelText("Limit");
    expect(limit).toHaveValue("10");
    expect(screen.getByRole("button", { name: "Save" })).toBeDisabled();
    await person.clear(limit);
    await person.type(limit, "2000000");
    await person.click(screen.getByRole("button", { name: "Save" }));
    await waitFor(() => expect(limit).toBeInvalid());
    expect(limit).toHaveAccessibleDescription(/From 0 to 1000000/);
    expect(sent["PATCH budgets/b1/"]).toMatchObject({ limit: "2000000", mode: "enforce" });
    expect(await faultsOf(document.body)).toEqual([]);
  });

  it("is made for a pool of the team", async () => {
    const { person, sent } = await show([], { "POST budgets/": aBudget() });
    expect(await screen.findByText("No budgets yet")).toBeVisible();
    await person.click(screen.getByRole("button", { name: "New budget" }));
    await person.click(await screen.findByRole("combobox", { name: "For" }));
    await person.click(await screen.findByRole("option", { name: "One pool" }));
    await person.type(screen.getByLabelText("Limit"), "2.5");
    await person.click(screen.getByRole("button", { name: "Create" }));
    expect(await screen.findByText("Choose the pool.")).toBeVisible();
    await person.click(screen.getByRole("combobox", { name: "Pool" }));
    await person.click(await screen.findByRole("option", { name: "parsers" }));
    expect(screen.queryByRole("option", { name: "theirs" })).toBeNull();
    await person.click(screen.getByRole("radio", { name: "Only count" }));
    await person.click(screen.getByRole("button", { name: "Create" }));
    await waitFor(() =>
      expect(sent["POST budgets/"]).toMatchObject({
        scope: "pool",
        target: "parsers",
        period: "day",
        limit: "2.5",
        mode: "audit",
      }),
    );
  });

  it("is an administrator's to make", async () => {
    await show([], {}, "operator");
    const make = await screen.findByRole("button", { name: "New budget" });
    await waitFor(() => expect(make).toBeDisabled());
    expect(make).toHaveAccessibleDescription(/needs the role admin/);
  });

  it("cannot be shown when the server cannot be asked, and says so", async () => {
    await show([], {}, "admin", { "GET budgets/": 503 });
    expect(await screen.findByRole("alert")).toBeVisible();
  });
});

describe("the ledger", () => {
  it("tells idle time apart, in money, and adds up", async () => {
    await show([]);
    const ledger = within(await screen.findByRole("table", { name: "Ledger" }));
    const row = within(ledger.getByText("parsers").closest("tr") as HTMLTableRowElement);
    for (const text of ["4.2 agent-hours", "$0.11", "$0.32", "$0.42"])
      expect(row.getByText(text)).toBeVisible();
    expect(row.getByRole("img", { name: "25 % at work" })).toBeInTheDocument();
    expect(ledger.getByText("Together")).toBeInTheDocument();
  });

  it("keeps what it shows in the address", async () => {
    const { person, router } = await show([]);
    await person.click(await screen.findByRole("radio", { name: "By workflow" }));
    await person.click(screen.getByRole("radio", { name: "30 d" }));
    await waitFor(() =>
      expect(router.state.location.search).toMatchObject({ group: "workflow", range: "30d" }),
    );
    const asked = vi.mocked(fetch).mock.calls.map(([url]) => String(url));
    expect(asked.some((url) => url.includes("group=workflow"))).toBe(true);
  });
});

describe("the burn-down", () => {
  const now = (START + 6 * HOUR) / 1000;
  const at = (hours: number) => Date.parse(iso(START + hours * HOUR)) / 1000;

  it("goes from the limit to what is left, and on to what is expected", () => {
    const [times, left, even, forecast] = burnDown(aBurn({ forecast: "8" }), now);
    expect(times).toEqual([at(0), at(0.75), at(1), at(5.75), now, at(24)]);
    expect(left).toEqual([10, 10, 9, 9, 6, null]);
    expect(even?.[0]).toBe(10);
    expect(even?.at(-1)).toBe(0);
    expect(forecast).toEqual([null, null, null, null, 6, 2]);
    expect(usedUpAt(aBurn({ forecast: "8" }), now)).toBeNull();
  });

  it("ends where nothing is left, when it does not last", () => {
    // 6 are left, 12 are expected to go in 18 hours: half-way.
    const gone = usedUpAt(aBurn(), now) ?? 0;
    expect(gone).toBeCloseTo(at(15), 0);
    const [times, , , forecast] = burnDown(aBurn(), now);
    expect(times?.map(Number)).toContain(gone);
    expect(forecast?.slice(-2)).toEqual([0, 0]);
  });

  it("has a beginning when nothing was spent yet", () => {
    const [, left] = burnDown(aBurn({ points: [], forecast: "0" }), now);
    expect(left).toEqual([10, 10, 10, null]);
  });
});
