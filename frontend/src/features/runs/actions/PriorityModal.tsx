import { Button, Group, NumberInput, Stack } from "@mantine/core";
import { modals } from "@mantine/modals";
import { useState } from "react";
import { prioritizeRun } from "@/api/runs";
import type { Run } from "@/api/types";
import { ErrorNote } from "@/components/ErrorNote";
import { useRunAct } from "./useRunAct";

const MODAL = "run-priority";

export function openPriorityModal(run: Run): void {
  modals.open({ modalId: MODAL, title: "Priority of this run", children: <PriorityForm run={run} /> });
}

function PriorityForm({ run }: { run: Run }) {
  const [priority, setPriority] = useState<number | string>(run.priority);
  const close = () => modals.close(MODAL);
  const save = useRunAct(run, (next: number) => prioritizeRun(run.id, next), "The priority stays", close);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate(Number(priority));
      }}
    >
      <Stack gap={16}>
        <NumberInput
          label="Priority"
          description="From -100 to 100. Runs of a higher one are served first; what waits for an agent already keeps its place."
          min={-100}
          max={100}
          allowDecimal={false}
          value={priority}
          onChange={setPriority}
          data-autofocus
        />
        {save.error && <ErrorNote error={save.error} />}
        <Group justify="flex-end" gap={8}>
          <Button variant="default" onClick={close}>
            Leave it
          </Button>
          <Button type="submit" loading={save.isPending} disabled={priority === ""}>
            Save
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
