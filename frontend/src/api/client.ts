/**
 * One way to the API: session cookie, CSRF token, team, problem details as errors.
 * Does not: cache (TanStack Query does) or show anything.
 */
import type { Fault, ProblemBody } from "./types";

export const API = "/api/v1/";
const TEAM_KEY = "af-team";

/** An answer that is not 2xx, or no answer at all (`status` 0). `message` is a sentence for people. */
export class ApiProblem extends Error {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly errors: Fault[];
  /** What the answer holds beyond the standard's fields: the newer version of a 412, say. */
  readonly members: Record<string, unknown>;

  constructor(body: Partial<ProblemBody> & { status: number }) {
    super(body.detail || body.title || `The server answered ${body.status}.`);
    this.name = "ApiProblem";
    this.status = body.status;
    this.code = body.code ?? "unknown";
    this.title = body.title ?? "Error";
    this.errors = body.errors ?? [];
    this.members = body as Record<string, unknown>;
  }
}

/** What the server says is wrong at that path of what was sent. */
export function faultAt(error: unknown, path: string): string | undefined {
  return error instanceof ApiProblem ? error.errors.find((one) => one.path === path)?.message : undefined;
}

export interface Options {
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** The team that the person chose last on this machine; null for the server's default. */
export function chosenTeam(): string | null {
  return localStorage.getItem(TEAM_KEY);
}

export function chooseTeam(slug: string | null): void {
  if (slug === null) localStorage.removeItem(TEAM_KEY);
  else localStorage.setItem(TEAM_KEY, slug);
}

export function csrfToken(): string {
  return document.cookie.match(/(?:^|;\s*)csrftoken=([^;]+)/)?.[1] ?? "";
}

/** `path` is relative to /api/v1/, or an address as lists give it in `next`. Throws `ApiProblem`. */
export async function request<T>(path: string, options: Options = {}): Promise<T> {
  const response = await send(path, options);
  if (response.ok) return (response.status === 204 ? undefined : await response.json()) as T;
  if (response.status === 401) goToLogin();
  throw await problemOf(response);
}

/** The same for answers that need not be JSON: exported files, what an agent says. */
export async function requestText(path: string, options: Options = {}): Promise<string> {
  const response = await send(path, { ...options, headers: { Accept: "*/*" } });
  if (response.ok) return response.text();
  if (response.status === 401) goToLogin();
  throw await problemOf(response);
}

async function send(path: string, options: Options): Promise<Response> {
  const team = chosenTeam();
  const headers: Record<string, string> = { Accept: "application/json", ...options.headers };
  if (team) headers["X-Team"] = team;
  if (options.method && options.method !== "GET") headers["X-CSRFToken"] = csrfToken();
  if (options.body !== undefined) headers["Content-Type"] = "application/json";
  try {
    return await fetch(address(path), {
      method: options.method ?? "GET",
      headers,
      body: options.body === undefined ? undefined : JSON.stringify(options.body),
      signal: options.signal,
      credentials: "same-origin",
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiProblem({
      status: 0,
      code: "unreachable",
      title: "No connection",
      detail: "The server cannot be reached. Is it running? This page tries again by itself.",
    });
  }
}

function address(path: string): string {
  if (!path.startsWith("http")) return API + path;
  const url = new URL(path);
  return url.pathname + url.search;
}

async function problemOf(response: Response): Promise<ApiProblem> {
  try {
    return new ApiProblem({ ...((await response.json()) as ProblemBody), status: response.status });
  } catch {
    return new ApiProblem({ status: response.status, title: response.statusText });
  }
}

export function goToLogin(): void {
  const here = window.location.pathname + window.location.search;
  window.location.assign(`/login/?next=${encodeURIComponent(here)}`);
}

/** A query string without what is empty: `?workflow=census`, or nothing. */
export function query(params: Query): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== null && value !== undefined && value !== "") search.set(name, String(value));
  }
  const text = search.toString();
  return text ? `?${text}` : "";
}

type Query = Record<string, string | number | null | undefined>;

/** The verbs, for calls without options of their own. */
export const api = {
  get: <T>(path: string, params: Query = {}, signal?: AbortSignal) =>
    request<T>(path + query(params), { signal }),
  post: <T>(path: string, body?: unknown, headers?: Record<string, string>) =>
    request<T>(path, { method: "POST", body, headers }),
  put: <T>(path: string, body: unknown, headers?: Record<string, string>) =>
    request<T>(path, { method: "PUT", body, headers }),
  patch: <T>(path: string, body: unknown) => request<T>(path, { method: "PATCH", body }),
  delete: (path: string) => request<void>(path, { method: "DELETE" }),
};
