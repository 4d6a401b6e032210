import { queryOptions } from "@tanstack/react-query";
import { query, request } from "./client";
import { keys } from "./keys";
import type { NewSimulation, Page, Simulation } from "./types";

const POLL_MS = 1000;

export function isUnderWay({ state }: Simulation): boolean {
  return state === "pending" || state === "running";
}

/** One simulation, asked for again until it has ended. */
export const simulationDetail = (id: string) =>
  queryOptions({
    queryKey: keys.simulation(id),
    queryFn: ({ signal }) => request<Simulation>(`simulations/${encodeURIComponent(id)}/`, { signal }),
    refetchInterval: (current) => (current.state.data && isUnderWay(current.state.data) ? POLL_MS : false),
  });

/** The newest that were run for a pool. */
export const simulationList = (pool: string) =>
  queryOptions({
    queryKey: keys.simulations(pool),
    queryFn: async ({ signal }) =>
      (await request<Page<Simulation>>(`simulations/${query({ pool, limit: 20 })}`, { signal })).results,
  });

export const createSimulation = (simulation: NewSimulation) =>
  request<Simulation>("simulations/", { method: "POST", body: simulation });
export const deleteSimulation = (id: string) => request<void>(`simulations/${id}/`, { method: "DELETE" });
