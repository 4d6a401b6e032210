import { Text } from "@mantine/core";
import { modals } from "@mantine/modals";
import { recyclePool } from "@/api/pools";
import type { Pool } from "@/api/types";
import { plural } from "@/format";
import { usePoolAct } from "./usePoolAct";

/** Replacing every agent asks first, and says what becomes of work under way. */
export function useRecycling(pool: Pool): () => void {
  const recycle = usePoolAct({
    act: () => recyclePool(pool.name),
    done: () => `The agents of ${pool.name} are being replaced.`,
    refused: `${pool.name} was not recycled`,
  });
  const { idle, active } = pool.states;
  return () =>
    modals.openConfirmModal({
      title: `Recycle ${pool.name}?`,
      children: (
        <Text>
          Every agent is replaced: {plural(idle, "free agent")} now, {plural(active, "active agent")} after{" "}
          {active === 1 ? "its lease" : "their leases"}. No work is lost, but what agents keep in memory is,
          and steps may wait until new ones are warm.
        </Text>
      ),
      labels: { confirm: "Recycle", cancel: "Keep them" },
      groupProps: { mt: 24, gap: 8 },
      onConfirm: () => recycle.mutate(),
    });
}
