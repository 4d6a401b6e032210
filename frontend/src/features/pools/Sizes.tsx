import { ActionIcon, Button, Group, NumberInput, Popover, Stack } from "@mantine/core";
import { IconPencil } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { ApiProblem } from "@/api/client";
import { keys } from "@/api/keys";
import { useRefusal } from "@/api/me";
import { resizePool } from "@/api/pools";
import type { Pool } from "@/api/types";
import { Allowed } from "@/components/Allowed";
import { Figure } from "@/components/Figure";
import { count } from "@/format";
import { inLabels } from "./labels";

/** The pool's limits, changed in place. */
export function Sizes({ pool }: { pool: Pool }) {
  const [open, setOpen] = useState(false);
  const refusal = useRefusal("operator");
  const size = Object.values(pool.states).reduce((sum, agents) => sum + agents, 0);
  return (
    <Figure
      label="agents (min to max)"
      value={
        <Group gap={4} wrap="nowrap" component="span">
          {`${count(size)} (${count(pool.min_size)} to ${count(pool.max_size)})`}
          <Popover opened={open} onChange={setOpen} position="bottom-start" trapFocus withArrow>
            <Allowed refusal={refusal}>
              {(may) => (
                <Popover.Target>
                  <ActionIcon
                    {...may}
                    component="button"
                    variant="subtle"
                    color="gray"
                    size="xs"
                    aria-label={`Change the sizes of ${pool.name}`}
                    onClick={() => setOpen(!open)}
                  >
                    <IconPencil size={13} />
                  </ActionIcon>
                </Popover.Target>
              )}
            </Allowed>
            <Popover.Dropdown>
              {open && <SizesForm pool={pool} onDone={() => setOpen(false)} />}
            </Popover.Dropdown>
          </Popover>
        </Group>
      }
    />
  );
}

function SizesForm({ pool, onDone }: { pool: Pool; onDone: () => void }) {
  const client = useQueryClient();
  const [min, setMin] = useState<number | string>(pool.min_size);
  const [max, setMax] = useState<number | string>(pool.max_size);
  const resize = useMutation({
    mutationFn: () => resizePool(pool.name, { min_size: Number(min), max_size: Number(max) }),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: keys.pools() });
      onDone();
    },
  });
  const fault = (path: string) => faultAt(resize.error, path);
  const other = resize.error && !fault("min_size") && !fault("max_size") ? resize.error.message : undefined;
  const save = (event: FormEvent) => {
    event.preventDefault();
    resize.mutate();
  };
  const whole = { allowDecimal: false, allowNegative: false, w: 132 } as const;
  return (
    <form onSubmit={save}>
      <Stack gap={12}>
        <Group gap={8} align="flex-start" wrap="nowrap">
          <NumberInput
            {...whole}
            label="Minimum"
            value={min}
            onChange={setMin}
            error={fault("min_size")}
            data-autofocus
          />
          <NumberInput
            {...whole}
            label="Maximum"
            value={max}
            onChange={setMax}
            error={fault("max_size") ?? other}
            min={1}
          />
        </Group>
        <Group gap={8} justify="flex-end">
          <Button variant="default" size="xs" onClick={onDone}>
            Leave it
          </Button>
          <Button type="submit" size="xs" loading={resize.isPending} disabled={min === "" || max === ""}>
            Save
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function faultAt(error: Error | null, path: string): string | undefined {
  if (!(error instanceof ApiProblem)) return undefined;
  const message = error.errors.find((fault) => fault.path === path)?.message;
  return message === undefined ? undefined : inLabels(message);
}
