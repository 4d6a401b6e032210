import { resumePool } from "@/api/pools";
import type { Pool } from "@/api/types";
import { usePoolAct } from "./usePoolAct";

/** Takes a drain back. */
export function useResuming(pool: Pool) {
  return usePoolAct({ act: () => resumePool(pool.name), refused: `${pool.name} was not resumed` });
}
