import { api, request, requestText } from "./client";
import type { AgentRequest, AgentRequestDetail, DeployedAgent, Page } from "./types";

export type Verb = "start" | "stop" | "restart" | "pause" | "resume";

const at = (id: string) => `agents/${encodeURIComponent(id)}/`;

export const getDeployed = (signal?: AbortSignal) =>
  api.get<Page<DeployedAgent>>("agents/", { kind: "deployed" }, signal);

/** One agent as an object, or a document with its variables. */
export const deployAgents = (body: unknown) =>
  request<{ results: DeployedAgent[] }>("agents/", { method: "POST", body });

export const actOnAgent = (id: string, verb: Verb) => api.post<DeployedAgent>(`${at(id)}${verb}/`);

export const removeAgent = (id: string, volumes: boolean) =>
  api.delete(`${at(id)}${volumes ? "?volumes=true" : ""}`);

/** What the agent answered, or where its request waits: of lines the last one, as JSON where it is that. */
export async function invokeAgent(id: string, body: unknown): Promise<unknown> {
  const text = (await requestText(`${at(id)}invoke/`, { method: "POST", body })).trim();
  for (const part of [text, text.slice(text.lastIndexOf("\n") + 1)]) {
    try {
      return JSON.parse(part);
    } catch {
      // The last line, or else the text as it is.
    }
  }
  return text;
}

export const getAgentRequests = (id: string, signal?: AbortSignal) =>
  api.get<Page<AgentRequest>>(`${at(id)}requests/`, { limit: 20 }, signal);

export const getAgentRequest = (id: string, requestId: string, signal?: AbortSignal) =>
  api.get<AgentRequestDetail>(`${at(id)}requests/${requestId}/`, {}, signal);

export const replayAgentRequest = (id: string, requestId: string) =>
  api.post<unknown>(`${at(id)}requests/${requestId}/replay/`);
