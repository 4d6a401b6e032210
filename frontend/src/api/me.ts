import { queryOptions, useQuery } from "@tanstack/react-query";
import { ApiProblem, chooseTeam, chosenTeam, request } from "./client";
import { keys } from "./keys";
import type { Me, Pool, Run } from "./types";

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

/** Why the person may not do what needs the role, in a sentence; null when they may, or nobody knows yet. */
export function refusalFor(person: Me | undefined, needed: "editor" | "operator" | "admin"): string | null {
  if (!person || mayAs(person.team.role, needed)) return null;
  return `This needs the role ${needed} in ${person.team.name}; yours is ${person.team.role}.`;
}

export function useRefusal(needed: "editor" | "operator" | "admin"): string | null {
  return refusalFor(useQuery(me).data, needed);
}

/** Why the person may not change a pool; null when they may, or nobody knows yet. */
export function usePoolRefusal(pool: Pick<Pool, "team">): string | null {
  const person = useQuery(me).data;
  if (person && pool.team !== person.team.slug) return `This pool is ${pool.team}'s, which shares it.`;
  return refusalFor(person, "operator");
}

/** Why the person may not act on what belongs to no team; null when they may, or nobody knows yet. */
export function useStaffRefusal(): string | null {
  const person = useQuery(me).data;
  const refusal = refusalFor(person, "admin");
  if (refusal || !person || person.staff) return refusal;
  return "All teams share the nodes: only the platform's staff acts on them.";
}

/** Editors act on their own runs, operators on all of the team's. */
export function useRunRefusal(run: Pick<Run, "created_by">): string | null {
  const person = useQuery(me).data;
  const refusal = refusalFor(person, "editor");
  if (refusal || !person || run.created_by === person.username) return refusal;
  return mayAs(person.team.role, "operator")
    ? null
    : `${run.created_by} started this run; acting on others' runs needs the role operator.`;
}
