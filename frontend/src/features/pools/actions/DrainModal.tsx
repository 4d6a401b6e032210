import { Button, Group, Modal, Stack, Text } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { ApiProblem } from "@/api/client";
import { drainPool } from "@/api/pools";
import type { Pool } from "@/api/types";
import { ErrorNote } from "@/components/ErrorNote";
import { plural } from "@/format";
import type { Amount } from "../settings/draft";
import { UnitInput } from "../settings/UnitInput";
import { TIMES } from "../settings/units";
import { usePoolAct } from "./usePoolAct";

/** Empties a pool until it is resumed; it says what that means for work under way. */
export function DrainModal({ pool, onClose }: { pool: Pool; onClose: () => void }) {
  const [within, setWithin] = useState<Amount>("");
  const drain = usePoolAct({
    act: (limit: number | null) => drainPool(pool.name, limit),
    onDone: onClose,
  });
  const fault =
    drain.error instanceof ApiProblem
      ? drain.error.errors.find(({ path }) => path === "within")?.message
      : undefined;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    drain.mutate(within === "" ? null : Number(within));
  };
  return (
    <Modal opened onClose={onClose} title={`Drain ${pool.name}?`}>
      <form onSubmit={submit} noValidate>
        <Stack gap={16}>
          <Text>Nobody gets a lease until the pool is resumed: steps that need it wait. {leaving(pool)}</Text>
          <UnitInput
            label="Deadline (optional)"
            description="Leases that are left by then are ended, and their work is lost. Empty: they may finish."
            units={TIMES}
            value={within}
            onChange={setWithin}
            error={fault}
            data-autofocus
          />
          {drain.error && !fault && <ErrorNote error={drain.error} title="The pool was not drained" />}
          <Group justify="flex-end" gap={8}>
            <Button variant="default" onClick={onClose}>
              Leave it
            </Button>
            <Button type="submit" color="red" loading={drain.isPending}>
              Drain
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

function leaving({ states: { idle, active } }: Pool): string {
  const free = `${plural(idle, "free agent")} ${idle === 1 ? "ends" : "end"} at once`;
  const leased = `${plural(active, "active agent")} ${active === 1 ? "finishes its lease first" : "finish their leases first"}`;
  return `${free}; ${leased}.`;
}
