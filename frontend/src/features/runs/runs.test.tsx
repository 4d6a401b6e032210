import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, describe, expect, it, vi } from "vitest";
import { keys } from "@/api/keys";
import type { RunLive } from "@/realtime/run/state";
import { faultsOf, renderPage } from "@/testing/render";
import { aRun, aStep } from "@/testing/shapes";
import { Timeline, ticksOf } from "./drawer/Timeline";
import { FailureBanner } from "./FailureBanner";
import { ItemsBar } from "./graph/ItemsBar";
import { StepFacts } from "./inspector/StepFacts";
import { RunHeader } from "./RunHeader";

afterEach(() => vi.unstubAllGlobals());

const START = "2026-01-20T12:00:00Z";
const END = "2026-01-20T12:00:10Z";
const failed = aRun({
  state: "failed",
  finished_at: END,
  error: { type: "KeyError", message: "'missing'", step: "parse", traceback: null },
});

describe("the head of a run", () => {
  it("tells the state in a status whose text is the state's word", async () => {
    const { container } = await renderPage(<RunHeader run={aRun()} steps={[]} />);
    expect(screen.getByRole("status")).toHaveTextContent(/^running$/);
    expect(screen.getByRole("button", { name: "Cancel" })).toBeEnabled();
    expect(await faultsOf(container)).toEqual([]);
  });

  it("offers to run again once it has ended, with its duration", async () => {
    await renderPage(<RunHeader run={failed} steps={[]} />);
    expect(screen.getByRole("status")).toHaveTextContent(/^failed$/);
    expect(screen.getByRole("button", { name: "Run again" })).toBeEnabled();
    expect(screen.getByText("10 s")).toBeInTheDocument();
  });

  it("waits once the cancelling was asked for", async () => {
    await renderPage(<RunHeader run={aRun({ cancel_requested_at: START })} steps={[]} />);
    expect(screen.getByRole("button", { name: "Cancelling…" })).toBeDisabled();
  });
});

describe("the banner", () => {
  it("says what failed first and why, and leads there", async () => {
    const { container, router } = await renderPage(<FailureBanner run={failed} steps={[]} />, "/runs/1");
    expect(screen.getByRole("alert")).toHaveTextContent("Step parse failed first");
    expect(screen.getByRole("alert")).toHaveTextContent("KeyError: 'missing'");
    expect(await faultsOf(container)).toEqual([]);
    await userEvent.click(screen.getByRole("button", { name: "Show the step" }));
    expect(router.state.location.search).toMatchObject({ step: "parse" });
  });

  it("is not there when nothing failed", async () => {
    await renderPage(<FailureBanner run={aRun()} steps={[]} />);
    expect(screen.queryByRole("alert")).toBeNull();
  });
});

describe("the timeline", () => {
  const steps = [
    aStep("list", { state: "completed", started_at: START, finished_at: "2026-01-20T12:00:02Z" }),
    aStep("parse", { state: "failed", started_at: "2026-01-20T12:00:02Z", finished_at: END }),
    aStep("sum", { state: "skipped" }),
  ];

  it("has a row for each step, and chooses it", async () => {
    const { container, router } = await renderPage(<Timeline run={failed} steps={steps} />, "/runs/1");
    expect(screen.getAllByRole("listitem").map((row) => row.textContent)).toEqual([
      "list2 s",
      "parse8 s",
      "sumskipped",
    ]);
    expect(await faultsOf(container)).toEqual([]);
    await userEvent.click(screen.getByRole("button", { name: /parse/ }));
    expect(router.state.location.search).toMatchObject({ step: "parse" });
  });

  it.each([
    [1, 6],
    [445, 5],
    [10_000, 6],
    [200_000, 4],
    [7_200_000, 5],
    [900_000_000, 4],
  ])("marks %s ms with %s round times", (span, marks) => {
    expect(ticksOf(span)).toHaveLength(marks);
    expect(ticksOf(span).at(-1)).toBeLessThanOrEqual(span);
  });
});

describe("a step", () => {
  it("shows its error with the traceback", async () => {
    const step = aStep("parse", {
      state: "failed",
      attempts: 3,
      error: { type: "KeyError", message: "'missing'", traceback: "Traceback:\n  line 3\n" },
    });
    vi.stubGlobal(
      "fetch",
      vi.fn(async () => new Response(JSON.stringify({ ...step, input: { a: 1 } }))),
    );
    const { container, client } = await renderPage(<StepFacts run="1" step={step} />);
    client.setQueryData<RunLive>(keys.runLive("1"), { seq: 1, run: failed, steps: [step] });
    expect(screen.getByRole("region", { name: "Traceback of parse" })).toHaveTextContent("line 3");
    expect(await screen.findByText("It ended without an output.")).toBeInTheDocument();
    expect(await faultsOf(container)).toEqual([]);
  });

  it("tells how far a map is", async () => {
    await renderPage(<ItemsBar counts={{ total: 1700, completed: 1024, failed: 2, running: 5 }} />);
    expect(screen.getByRole("progressbar")).toHaveAttribute(
      "aria-valuetext",
      "1,024 done, 2 failed, 5 running of 1,700",
    );
  });
});
