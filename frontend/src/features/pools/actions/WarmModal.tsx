import { Button, Group, Modal, NumberInput, Stack } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { warmPool } from "@/api/pools";
import type { Pool } from "@/api/types";
import { ErrorNote } from "@/components/ErrorNote";
import { count, plural, seconds } from "@/format";
import { usePoolAct } from "./usePoolAct";

/** Starts agents before somebody asks for them. */
export function WarmModal({ pool, onClose }: { pool: Pool; onClose: () => void }) {
  const [size, setSize] = useState<number | string>(Math.min(pool.max_size, pool.target_size + 1));
  const warm = usePoolAct({
    act: (agents: number) => warmPool(pool.name, agents),
    done: (agents) => `${pool.name} is warmed up to ${plural(agents, "agent")}.`,
    onDone: onClose,
  });
  const tooMany = Number(size) > pool.max_size;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    warm.mutate(Number(size));
  };
  return (
    <Modal opened onClose={onClose} title={`Warm ${pool.name}`}>
      <form onSubmit={submit} noValidate>
        <Stack gap={16}>
          <NumberInput
            label="Agents in all"
            description={`Missing ones start now. Without work, those above the minimum (${count(pool.min_size)}) end after ${seconds(pool.idle_timeout)}.`}
            allowDecimal={false}
            allowNegative={false}
            value={size}
            onChange={setSize}
            error={
              tooMany ? `The pool has at most ${count(pool.max_size)}; change its maximum first.` : undefined
            }
            data-autofocus
          />
          {warm.error && <ErrorNote error={warm.error} title="The pool was not warmed" />}
          <Group justify="flex-end" gap={8}>
            <Button variant="default" onClick={onClose}>
              Leave it
            </Button>
            <Button type="submit" loading={warm.isPending} disabled={size === "" || tooMany}>
              Warm
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
