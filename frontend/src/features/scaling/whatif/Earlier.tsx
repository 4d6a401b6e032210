import { ActionIcon, Group, Select } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconTrash } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { keys } from "@/api/keys";
import { useRefusal } from "@/api/me";
import { deleteSimulation, isUnderWay } from "@/api/simulations";
import type { Simulation } from "@/api/types";
import { Allowed } from "@/components/Allowed";
import { clock, plural } from "@/format";

interface Props {
  list: Simulation[];
  chosen: string | undefined;
  onChoose: (id: string | undefined) => void;
}

/** The simulations that were run for the pool, the newest first. */
export function Earlier({ list, chosen, onChoose }: Props) {
  const client = useQueryClient();
  const refusal = useRefusal("editor");
  const remove = useMutation({
    mutationFn: deleteSimulation,
    onSuccess: () => {
      onChoose(undefined);
      void client.invalidateQueries({ queryKey: keys.simulations() });
    },
    onError: (error) =>
      notifications.show({ color: "red", title: "The simulation stays", message: error.message }),
  });
  return (
    <Group gap={8} wrap="nowrap">
      <Select
        aria-label="Simulation"
        data={list.map((one) => ({ value: one.id, label: titleOf(one) }))}
        value={chosen ?? null}
        onChange={(id) => onChoose(id ?? undefined)}
        style={{ flex: 1 }}
      />
      <Allowed refusal={refusal} says="Deletes this simulation; one under way is given up">
        {(may) => (
          <ActionIcon
            {...may}
            variant="subtle"
            color="gray"
            size={36}
            aria-label="Delete this simulation"
            loading={remove.isPending}
            onClick={() => chosen !== undefined && remove.mutate(chosen)}
          >
            <IconTrash size={16} />
          </ActionIcon>
        )}
      </Allowed>
    </Group>
  );
}

function titleOf(one: Simulation): string {
  const made = new Date(one.created_at);
  const day = made.toLocaleDateString("en", { day: "numeric", month: "short" });
  const arrivals = one.arrivals === "history" ? "its history" : "a trace";
  const state = isUnderWay(one) ? ", under way" : one.state === "failed" ? ", failed" : "";
  return `${day}, ${clock(made).slice(0, 5)}: ${plural(one.policies.length, "policy", "policies")} on ${arrivals}${state}`;
}
