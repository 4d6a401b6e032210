import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ApiProblem, api, chooseTeam, query, request } from "./client";

const fetching = vi.fn<typeof fetch>();

function answers(status: number, body: unknown): void {
  fetching.mockResolvedValueOnce(new Response(status === 204 ? null : JSON.stringify(body), { status }));
}

function sent(): { url: string; init: RequestInit; headers: Record<string, string> } {
  const [url, init] = fetching.mock.calls.at(-1) ?? [];
  return { url: String(url), init: init ?? {}, headers: (init?.headers ?? {}) as Record<string, string> };
}

beforeEach(() => {
  vi.stubGlobal("fetch", fetching);
  document.cookie = "csrftoken=secret";
});

afterEach(() => {
  vi.unstubAllGlobals();
  fetching.mockReset();
  chooseTeam(null);
});

describe("request", () => {
  it("asks under /api/v1/ and gives the JSON", async () => {
    answers(200, { username: "ada" });
    expect(await request("me/")).toEqual({ username: "ada" });
    expect(sent().url).toBe("/api/v1/me/");
    expect(sent().headers).not.toHaveProperty("X-CSRFToken");
  });

  it("follows the absolute address of a next page on this host", async () => {
    answers(200, {});
    await request("http://elsewhere:9/api/v1/runs/?cursor=abc");
    expect(sent().url).toBe("/api/v1/runs/?cursor=abc");
  });

  it("sends the CSRF token, the team and the body with what changes something", async () => {
    chooseTeam("ops");
    answers(201, {});
    await api.post("runs/", { a: 1 }, { "Idempotency-Key": "k" });
    expect(sent().init.method).toBe("POST");
    expect(sent().init.body).toBe('{"a":1}');
    expect(sent().headers).toMatchObject({
      "X-CSRFToken": "secret",
      "X-Team": "ops",
      "Idempotency-Key": "k",
      "Content-Type": "application/json",
    });
  });

  it("gives nothing for 204", async () => {
    answers(204, null);
    expect(await api.delete("workflows/x/")).toBeUndefined();
  });

  it("throws problem details with every fault", async () => {
    const errors = [{ path: "steps[0].id", message: "Rename it.", step: "a" }];
    answers(400, { status: 400, code: "invalid_document", title: "Faults", detail: "1 fault", errors });
    const problem = await request("workflows/").catch((error: unknown) => error);
    expect(problem).toBeInstanceOf(ApiProblem);
    expect(problem).toMatchObject({ status: 400, code: "invalid_document", message: "1 fault", errors });
  });

  it("says so when the answer is no JSON", async () => {
    fetching.mockResolvedValueOnce(new Response("<html>", { status: 502, statusText: "Bad Gateway" }));
    await expect(request("me/")).rejects.toMatchObject({ status: 502, message: "Bad Gateway" });
  });

  it("says so when nobody answers", async () => {
    fetching.mockRejectedValueOnce(new TypeError("Failed to fetch"));
    await expect(request("me/")).rejects.toMatchObject({ status: 0, code: "unreachable" });
  });
});

describe("query", () => {
  it("leaves out what is empty", () => {
    expect(query({ workflow: "a b", state: "", limit: 5, tag: undefined })).toBe("?workflow=a+b&limit=5");
    expect(query({ state: null })).toBe("");
  });
});
