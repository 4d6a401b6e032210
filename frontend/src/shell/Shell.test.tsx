import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, it, vi } from "vitest";
import { overall, tellFeed } from "@/realtime/status";
import { stubApi } from "@/testing/api";
import { faultsOf, renderPage } from "@/testing/render";
import { aPerson, aRun } from "@/testing/shapes";
import { keys } from "@/api/keys";
import { Breadcrumbs } from "./Breadcrumbs";
import { PersonMenu } from "./PersonMenu";
import { Shell } from "./Shell";

afterEach(() => vi.unstubAllGlobals());

it("says to somebody in no team that there is none, instead of trying for ever", async () => {
  const detail = "You are not a member of that team; ask one of its admins to add you.";
  stubApi({ "GET me/": { status: 403, title: "Not allowed", detail, errors: [] } }, { "GET me/": 403 });
  vi.stubGlobal(
    "WebSocket",
    class {
      close() {}
    },
  );
  const { container } = await renderPage(<Shell />);
  expect(await screen.findByRole("heading", { name: "You are in no team yet" })).toBeVisible();
  expect(screen.getByText(/ask one of its admins/)).toBeVisible();
  expect(screen.getByRole("button", { name: "Log out" })).toBeEnabled();
  expect(await faultsOf(container)).toEqual([]);
});

it("tells a connection that was refused from one that comes back", () => {
  tellFeed("pools", "closed");
  tellFeed("run 1", "live");
  expect(overall()).toBe("closed");
  tellFeed("pools", "waiting");
  expect(overall()).toBe("waiting");
  tellFeed("pools", null);
  expect(overall()).toBe("live");
  tellFeed("run 1", null);
});

it("leads from a run of a sub-workflow to the step that started it", async () => {
  const run = aRun({ parent: { run: "01a20b85-66e2-7218-86e8-b8247f0d362a", step: "report" } });
  const { client } = await renderPage(<Breadcrumbs />, `/runs/${run.id}`);
  client.setQueryData(keys.runLive(run.id), { seq: 1, run, steps: [] });
  const link = await screen.findByRole("link", { name: /report/ });
  expect(link).toHaveAttribute("href", "/runs/01a20b85-66e2-7218-86e8-b8247f0d362a?step=report");
});

it("leads to the documentation from the menu of the person", async () => {
  stubApi({ "GET me/": aPerson() });
  await renderPage(<PersonMenu />);
  await userEvent.click(await screen.findByRole("button", { name: /^You:/ }));
  expect(await screen.findByRole("menuitem", { name: "Documentation" })).toHaveAttribute("href", "/docs/");
});
