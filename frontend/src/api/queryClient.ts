import { QueryClient } from "@tanstack/react-query";
import { ApiProblem } from "./client";

/** What was asked wrongly is not asked again; what could not be reached is, twice. */
function worthAnother(failures: number, error: Error): boolean {
  const final = error instanceof ApiProblem && error.status >= 400 && error.status < 500;
  return !final && failures < 2;
}

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: { retry: worthAnother, staleTime: 1000, refetchOnWindowFocus: true },
    mutations: { retry: false },
  },
});
