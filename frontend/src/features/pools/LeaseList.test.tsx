import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, describe, expect, it, vi } from "vitest";
import { leaseList } from "@/api/pools";
import type { LeaseInfo, Pool } from "@/api/types";
import { stubApi } from "@/testing/api";
import { faultsOf, renderPage } from "@/testing/render";
import { aPool } from "@/testing/shapes";
import { holderOf } from "./holders";
import { LeaseList } from "./LeaseList";

afterEach(() => vi.unstubAllGlobals());

const RUN = "019ab9d0-7a1c-7e11-8f00-0123456789ab";
const AGENT = "019ab9d0-7a1c-7e11-8f00-00000000abcd";
const inOneMinute = () => new Date(Date.now() + 60_000).toISOString();

function aLease(fields: Partial<LeaseInfo> = {}): LeaseInfo {
  const holder = `${RUN}/count/1/4`;
  return { pool: "census", agent: AGENT, holder, fence: 1204, expires_at: inOneMinute(), ...fields };
}

async function show(pool: Pool, leases: LeaseInfo[]) {
  const sent = stubApi({ "GET leases/": { results: leases, next: null, previous: null } });
  const view = await renderPage(<LeaseList pool={pool} />);
  return { ...view, sent };
}

describe("the live leases of a pool", () => {
  it("are listed once somebody asks, with agent, holder, fence and end; the address says so", async () => {
    const { container, sent, router } = await show(aPool("census", { leases: 2 }), [
      aLease(),
      aLease({ holder: "api/1/key", fence: 7 }),
    ]);
    expect(sent).not.toHaveProperty(["GET leases/"]);
    const button = screen.getByRole("button", { name: "2 live leases" });
    expect(button).toHaveAttribute("aria-expanded", "false");
    await userEvent.click(button);
    const table = within(await screen.findByRole("table", { name: "Live leases of census" }));
    const [, first, second] = table.getAllByRole("row") as [HTMLElement, HTMLElement, HTMLElement];
    expect(within(first).getByRole("button", { name: "Copy id 0000abcd" })).toBeVisible();
    expect(within(first).getByRole("link", { name: "run 456789ab" })).toHaveAttribute("href", `/runs/${RUN}`);
    expect(first).toHaveTextContent(/step count/);
    expect(first).toHaveTextContent(/1,204\s*in (1 m|\d+ s)/);
    expect(second).toHaveTextContent(/a program outside/);
    expect(router.state.location.search).toEqual({ leases: "census" });
    expect(vi.mocked(fetch).mock.calls.map(([url]) => url)).toContain("/api/v1/leases/?pool=census");
    expect(await faultsOf(container)).toEqual([]);
    await userEvent.click(button);
    await waitFor(() => expect(screen.queryByRole("table")).toBeNull());
  });

  it("says when there is none, and that other teams' are not listed", async () => {
    await show(aPool("census", { shares: [{ team: "acme", weight: 1 }] }), []);
    await userEvent.click(screen.getByRole("button", { name: "0 live leases" }));
    expect(await screen.findByText("No lease now.")).toBeVisible();
    expect(screen.getByText("Leases of other teams are not listed.")).toBeVisible();
  });

  it("are asked for again every few seconds", () => {
    expect(leaseList("census").refetchInterval).toBe(3000);
  });
});

it("reads who holds a lease", () => {
  expect(holderOf(`${RUN}/each[3]/parse/2/9`)).toEqual({ run: RUN, words: "step each[3]/parse" });
  expect(holderOf("api/1/abc")).toEqual({ run: null, words: "a program outside" });
  expect(holderOf("somebody")).toEqual({ run: null, words: "somebody" });
});
