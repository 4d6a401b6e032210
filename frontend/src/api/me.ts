import { queryOptions } from "@tanstack/react-query";
import { ApiProblem, chooseTeam, chosenTeam, request } from "./client";
import { keys } from "./keys";
import type { Me } from "./types";

/** Who is signed in. A team that the person has left since is forgotten rather than an error. */
export const me = queryOptions({
  queryKey: keys.me(),
  queryFn: async ({ signal }) => {
    try {
      return await request<Me>("me/", { signal });
    } catch (error) {
      if (!(error instanceof ApiProblem) || error.status !== 403 || chosenTeam() === null) throw error;
      chooseTeam(null);
      return request<Me>("me/", { signal });
    }
  },
  staleTime: 60_000,
});

const ORDER = ["viewer", "editor", "operator", "admin"];

/** Whether a role may do what needs `needed`; the server checks the same. */
export function mayAs(role: string | undefined, needed: "editor" | "operator" | "admin"): boolean {
  return ORDER.indexOf(role ?? "") >= ORDER.indexOf(needed);
}
