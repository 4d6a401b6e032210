import { ActionIcon, Menu, Text } from "@mantine/core";
import { modals } from "@mantine/modals";
import { notifications } from "@mantine/notifications";
import { IconDots, IconPencil, IconTrash } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { keys } from "@/api/keys";
import { useRefusal } from "@/api/me";
import { deletePool } from "@/api/pools";
import type { Pool } from "@/api/types";
import { plural } from "@/format";
import { PoolModal } from "./PoolModal";

/** What one can do with a pool, besides its sizes. */
export function PoolActions({ pool }: { pool: Pool }) {
  const [editing, setEditing] = useState(false);
  const remove = useRemoval(pool);
  const refusal = useRefusal("operator");
  return (
    <>
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" aria-label={`More for ${pool.name}`}>
            <IconDots size={16} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item
            leftSection={<IconPencil size={16} aria-hidden />}
            disabled={refusal !== null}
            title={refusal ?? undefined}
            onClick={() => setEditing(true)}
          >
            Edit…
          </Menu.Item>
          <Menu.Item
            color="red"
            leftSection={<IconTrash size={16} aria-hidden />}
            disabled={refusal !== null}
            title={refusal ?? undefined}
            onClick={remove}
          >
            Delete…
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {editing && <PoolModal pool={pool} onClose={() => setEditing(false)} />}
    </>
  );
}

/** Deleting asks first, and says what is lost. */
function useRemoval(pool: Pool): () => void {
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
