import { vi } from "vitest";

/**
 * Answers requests by "METHOD path" (the path without its query, after /api/v1/); 200 unless `statuses` says
 * otherwise, 404 for what is not listed. The result holds the body that was sent last to each.
 */
export function stubApi(answers: Record<string, unknown>, statuses: Record<string, number> = {}) {
  const sent: Record<string, unknown> = {};
  const answer = async (url: string, init?: RequestInit) => {
    const path = String(url).replace("/api/v1/", "").split("?")[0];
    const name = `${init?.method ?? "GET"} ${path}`;
    sent[name] = init?.body ? JSON.parse(String(init.body)) : null;
    const known = name in answers;
    const body = known ? answers[name] : { detail: `nobody answers ${name}`, errors: [] };
    return new Response(JSON.stringify(body), { status: statuses[name] ?? (known ? 200 : 404) });
  };
  vi.stubGlobal("fetch", vi.fn(answer));
  return sent;
}
