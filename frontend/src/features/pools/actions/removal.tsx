import { Text } from "@mantine/core";
import { modals } from "@mantine/modals";
import { notifications } from "@mantine/notifications";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { keys } from "@/api/keys";
import { deletePool } from "@/api/pools";
import type { Pool } from "@/api/types";
import { plural } from "@/format";

/** Deleting asks first, and says what is lost. */
export function useRemoval(pool: Pool): () => void {
  const client = useQueryClient();
  const removal = useMutation({
    mutationFn: () => deletePool(pool.name),
    onSuccess: () => {
      notifications.show({ message: `${pool.name} was deleted.` });
      void client.invalidateQueries({ queryKey: keys.pools() });
    },
    // Who still names the pool is worth reading: it stays until it is closed.
    onError: (error) =>
      notifications.show({
        color: "red",
        title: `${pool.name} was not deleted`,
        message: error.message,
        autoClose: false,
      }),
  });
  const { idle, active } = pool.states;
  return () =>
    modals.openConfirmModal({
      title: `Delete ${pool.name}?`,
      children: (
        <Text>
          {plural(idle, "free agent")} {idle === 1 ? "ends" : "end"} at once; {plural(active, "active agent")}{" "}
          {active === 1 ? "finishes its lease, then ends" : "finish their lease, then end"}. Steps that name
          this pool fail from then on; while a workflow's newest version names it, it is not deleted.
        </Text>
      ),
      labels: { confirm: "Delete pool", cancel: "Keep it" },
      confirmProps: { color: "red" },
      onConfirm: () => removal.mutate(),
    });
}
