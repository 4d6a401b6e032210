import { Button, Group, Modal, NumberInput, Stack, Switch, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { ApiProblem } from "@/api/client";
import { keys } from "@/api/keys";
import { createPool, updatePool } from "@/api/pools";
import type { Pool } from "@/api/types";
import { ErrorNote } from "@/components/ErrorNote";

import { inLabels } from "./labels";

interface Values {
  name: string;
  image: string;
  min_size: number;
  max_size: number;
  warm_up: boolean;
  max_uses: number;
  idle_timeout: number;
}

const FRESH: Values = {
  name: "",
  image: "",
  min_size: 1,
  max_size: 10,
  warm_up: true,
  max_uses: 100,
  idle_timeout: 300,
};

interface Props {
  /** The pool to edit; a new one is made without it. */
  pool?: Pool;
  onClose: () => void;
}

/** Makes a pool, or changes its settings. */
export function PoolModal({ pool, onClose }: Props) {
  const client = useQueryClient();
  const form = useForm<Values>({ initialValues: pool ? { ...FRESH, ...valuesOf(pool) } : FRESH });
  const save = useMutation({
    mutationFn: ({ name, image, ...settings }: Values) => {
      const body = image.trim() ? { ...settings, image: image.trim() } : settings;
      return pool ? updatePool(pool.name, body) : createPool({ ...body, name: name.trim() });
    },
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: keys.pools() });
      onClose();
    },
    onError: (error) => {
      if (error instanceof ApiProblem) {
        const told = error.errors.map(({ path, message }) => [path, inLabels(message)]);
        form.setErrors(Object.fromEntries(told));
      }
    },
  });
  const known = save.error instanceof ApiProblem && save.error.errors.some(({ path }) => path in FRESH);
  return (
    <Modal opened onClose={onClose} title={pool ? `Edit ${pool.name}` : "New pool"}>
      <form onSubmit={form.onSubmit((values) => save.mutate(values))} noValidate>
        <Stack gap={16}>
          {save.error && !known && (
            <ErrorNote
              error={save.error}
              title={pool ? "The pool was not changed" : "The pool was not made"}
            />
          )}
          {!pool && (
            <TextInput label="Name" placeholder="parsers" data-autofocus {...form.getInputProps("name")} />
          )}
          <TextInput
            label="Image"
            description={
              pool
                ? "A new image replaces the agents of the old one; running leases finish first."
                : "Empty for the built-in Python agent, which runs the code of steps."
            }
            placeholder="agentainer/python-agent"
            {...form.getInputProps("image")}
          />
          <Fields form={form} />
          <Group justify="flex-end" gap={8}>
            <Button variant="default" onClick={onClose}>
              Leave it
            </Button>
            <Button type="submit" loading={save.isPending} disabled={!pool && !form.values.name.trim()}>
              {pool ? "Save" : "Create"}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

function Fields({ form }: { form: ReturnType<typeof useForm<Values>> }) {
  const whole = { allowDecimal: false, allowNegative: false } as const;
  return (
    <>
      <Group grow align="flex-start" gap={16}>
        <NumberInput
          {...whole}
          label="Minimum size"
          description="Agents kept warm"
          {...form.getInputProps("min_size")}
        />
        <NumberInput
          {...whole}
          label="Maximum size"
          description="Never more agents than this"
          {...form.getInputProps("max_size")}
        />
      </Group>
      <Group grow align="flex-start" gap={16}>
        <NumberInput
          {...whole}
          label="Uses per agent"
          description="Requests until it is replaced"
          {...form.getInputProps("max_uses")}
        />
        <NumberInput
          {...whole}
          label="Idle time-out"
          description="Above the minimum"
          suffix=" s"
          {...form.getInputProps("idle_timeout")}
        />
      </Group>
      <Switch
        label="Warm up"
        description="Starts the minimum before the first lease asks for it"
        {...form.getInputProps("warm_up", { type: "checkbox" })}
      />
    </>
  );
}

function valuesOf({ name, image, min_size, max_size, warm_up, max_uses, idle_timeout }: Pool): Values {
  return { name, image, min_size, max_size, warm_up, max_uses, idle_timeout };
}
