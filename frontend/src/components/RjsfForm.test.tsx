import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";
import { faultsOf, renderPage } from "@/testing/render";
import RjsfForm from "./RjsfForm";

const schema = {
  type: "object",
  properties: {
    root: { type: "string", title: "Root" },
    depth: { type: "integer", title: "Depth", default: 3, minimum: 1 },
    deep: { type: "boolean", title: "Deep" },
  },
  required: ["root", "depth"],
};

async function show(onSubmit = vi.fn()) {
  const view = await renderPage(
    <>
      <RjsfForm id="params" schema={schema} initial={{}} onSubmit={onSubmit} />
      <button type="submit" form="params">
        Start
      </button>
    </>,
  );
  return { ...view, onSubmit };
}

it("gives what was typed, with defaults and types", async () => {
  const { onSubmit } = await show();
  await userEvent.type(screen.getByLabelText(/Root/), "/srv");
  await userEvent.click(screen.getByRole("button", { name: "Start" }));
  await waitFor(() => expect(onSubmit).toHaveBeenCalledWith({ root: "/srv", depth: 3 }));
});

it("says what is missing, and keeps the rest", async () => {
  const { onSubmit } = await show();
  await userEvent.click(screen.getByRole("button", { name: "Start" }));
  expect(await screen.findByText("Fill this in.")).toBeVisible();
  expect(screen.getByLabelText(/Depth/)).toHaveValue("3");
  expect(onSubmit).not.toHaveBeenCalled();
});

it("has nothing that axe minds", async () => {
  const { container } = await show();
  expect(await faultsOf(container)).toEqual([]);
});

it("never changes a number that was typed: it says what is wrong with it", async () => {
  const { onSubmit } = await show();
  await userEvent.type(screen.getByLabelText(/Root/), "/srv");
  const depth = screen.getByLabelText(/Depth/);
  for (const [typed, said] of [
    ["-5", "At least 1."],
    ["2.5", "Write a whole number."],
    ["many", "Write a whole number."],
  ]) {
    await userEvent.clear(depth);
    await userEvent.type(depth, typed ?? "");
    await userEvent.tab();
    await userEvent.click(screen.getByRole("button", { name: "Start" }));
    expect(await screen.findByText(said ?? "")).toBeVisible();
    expect(depth).toHaveValue(typed);
  }
  expect(onSubmit).not.toHaveBeenCalled();
  await userEvent.clear(depth);
  await userEvent.type(depth, "12");
  await userEvent.click(screen.getByRole("button", { name: "Start" }));
  await waitFor(() => expect(onSubmit).toHaveBeenCalledWith({ root: "/srv", depth: 12 }));
});
