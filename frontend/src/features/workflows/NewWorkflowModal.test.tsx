import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { faultsOf, renderPage } from "@/testing/render";
import { NewWorkflowModal } from "./NewWorkflowModal";

const fetching = vi.fn<typeof fetch>();
beforeEach(() => void vi.stubGlobal("fetch", fetching));
afterEach(() => {
  vi.unstubAllGlobals();
  fetching.mockReset();
});

const show = () => renderPage(<NewWorkflowModal opened onClose={() => undefined} />);

it("makes an empty workflow under a name that addresses can hold, and opens it", async () => {
  fetching.mockResolvedValueOnce(new Response(JSON.stringify({ name: "my-flow" }), { status: 201 }));
  const { router } = await show();
  await userEvent.type(screen.getByLabelText("Name"), "My Flow");
  expect(screen.getByText("It will be called my-flow.")).toBeVisible();
  await userEvent.click(screen.getByRole("button", { name: "Create" }));
  const body = JSON.parse(String(fetching.mock.calls[0]?.[1]?.body));
  expect(body).toEqual({ apiVersion: "agentainer.flow/v1", name: "my-flow", steps: [] });
  await vi.waitFor(() => expect(router.state.location.pathname).toBe("/workflows/my-flow"));
});

it("says at the field that the name is taken, and keeps what was typed", async () => {
  const taken = { status: 409, code: "conflict", title: "Conflict", detail: "There is one.", errors: [] };
  fetching.mockResolvedValueOnce(new Response(JSON.stringify(taken), { status: 409 }));
  await show();
  await userEvent.type(screen.getByLabelText("Name"), "census");
  await userEvent.click(screen.getByRole("button", { name: "Create" }));
  expect(await screen.findByText(/has this name; choose another/)).toBeVisible();
  expect(screen.getByLabelText("Name")).toHaveValue("census");
});

it("has nothing that axe minds", async () => {
  await show();
  expect(await faultsOf(document.body)).toEqual([]);
});
