import { beforeEach, expect, it, vi } from "vitest";
import { reloadSometimes } from "./reload";

beforeEach(() => sessionStorage.clear());

it("fetches the page again, three times in ten seconds at most", () => {
  const reload = vi.fn();
  for (const now of [100_000, 101_000, 102_000, 103_000]) reloadSometimes(sessionStorage, now, reload);
  expect(reload).toHaveBeenCalledTimes(3);
  reloadSometimes(sessionStorage, 110_500, reload);
  expect(reload).toHaveBeenCalledTimes(4);
});
