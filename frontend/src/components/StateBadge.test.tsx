import { screen } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import { faultsOf, renderPage } from "@/testing/render";
import { StateBadge } from "./StateBadge";
import { isFinal, lookOf } from "./states";

const RUNS = [
  "pending",
  "queued",
  "running",
  "waiting",
  "paused",
  "completed",
  "failed",
  "skipped",
  "cancelled",
];
const AGENTS = ["starting", "idle", "active", "draining", "unhealthy", "terminated"];

describe("StateBadge", () => {
  it.each([...RUNS, "compensated", ...AGENTS])("tells %s by colour, icon and word", async (state) => {
    const { container } = await renderPage(<StateBadge state={state} />);
    const badge = screen.getByText(state);
    expect(badge).toHaveAttribute("data-hue", lookOf(state).hue);
    expect(badge.querySelector("svg")).toHaveAttribute("aria-hidden");
    expect(await faultsOf(container)).toEqual([]);
  });

  it("shows a state that it does not know by its own word", async () => {
    await renderPage(<StateBadge state="hibernating" />);
    expect(screen.getByText("hibernating")).toHaveAttribute("data-hue", "grey");
  });

  it("knows which states are final", () => {
    expect(RUNS.filter(isFinal)).toEqual(["completed", "failed", "skipped", "cancelled"]);
  });
});
