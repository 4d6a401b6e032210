import { beforeEach, expect, it, vi } from "vitest";
import { reloadOnce } from "./reload";

beforeEach(() => sessionStorage.clear());

it("fetches the page again, but not twice in a row", () => {
  const reload = vi.fn();
  reloadOnce(sessionStorage, 100_000, reload);
  reloadOnce(sessionStorage, 101_000, reload);
  expect(reload).toHaveBeenCalledTimes(1);
  reloadOnce(sessionStorage, 120_000, reload);
  expect(reload).toHaveBeenCalledTimes(2);
});
