import { Button, Group, NumberInput, Select, Stack, Title } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { faultAt } from "@/api/client";
import { keys } from "@/api/keys";
import { useRunRefusal } from "@/api/me";
import { changeStep } from "@/api/runs";
import type { MapSettings as Settings, Run, Step } from "@/api/types";
import { isObject } from "@/canvas/json";
import { Allowed } from "@/components/Allowed";
import { ErrorNote } from "@/components/ErrorNote";
import { count, percent } from "@/format";
import { pathOf, useDefinitions } from "../useDefinition";
import { Fact, Facts } from "./Facts";
import classes from "./Inspector.module.css";

const STRATEGIES: Record<string, string> = {
  fail_fast: "Fail at the first failed item",
  continue: "Go on, whatever fails",
  continue_on_partial: "Go on while enough succeed",
};

interface Props {
  run: Run;
  /** A map that has not ended. */
  step: Step;
}

/** How wide a map works and how much it tolerates: both can change while it runs. */
export function MapSettings({ run, step }: Props) {
  const refusal = useRunRefusal(run);
  const [open, setOpen] = useState(false);
  const now = useSettings(run, step);
  return (
    <section className={classes.items} aria-label="Settings of the map">
      <div className={classes.itemsHead}>
        <Title order={3}>Settings</Title>
        {!open && (
          <Allowed refusal={refusal} says="Takes effect at once, for this run only">
            {(may) => (
              <Button {...may} variant="subtle" size="compact-xs" onClick={() => setOpen(true)}>
                Change
              </Button>
            )}
          </Allowed>
        )}
      </div>
      {open ? (
        <SettingsForm run={run} step={step} now={now} onDone={() => setOpen(false)} />
      ) : (
        <Facts>
          <Fact name="In parallel">
            {now.max_parallel === undefined
              ? "as many as the pool has agents"
              : `at most ${count(now.max_parallel)}`}
          </Fact>
          <Fact name="Tolerance">
            {STRATEGIES[now.error_strategy ?? "fail_fast"]}
            {now.error_strategy === "continue_on_partial" &&
              now.min_success_rate != null &&
              ` (${percent(now.min_success_rate)})`}
          </Fact>
        </Facts>
      )}
    </section>
  );
}

/** What holds now: what was changed in this run, else what the document says. */
function useSettings(run: Run, step: Step): Settings {
  const definition = useDefinitions(run).get(pathOf(step.id));
  return { ...pick(definition), ...pick(step.settings) };
}

function pick(from: unknown): Settings {
  if (!isObject(from)) return {};
  const { max_parallel, error_strategy, min_success_rate } = from;
  return {
    ...(typeof max_parallel === "number" ? { max_parallel } : {}),
    ...(typeof error_strategy === "string" ? { error_strategy } : {}),
    ...(typeof min_success_rate === "number" ? { min_success_rate } : {}),
  };
}

function SettingsForm({ run, step, now, onDone }: Props & { now: Settings; onDone: () => void }) {
  const client = useQueryClient();
  const [width, setWidth] = useState<number | string>(now.max_parallel ?? "");
  const [strategy, setStrategy] = useState(now.error_strategy ?? "fail_fast");
  const [rate, setRate] = useState<number | string>(Math.round((now.min_success_rate ?? 1) * 1000) / 10);
  const save = useMutation({
    mutationFn: (changes: Settings) => changeStep(run.id, step.id, changes),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: keys.runLive(run.id) });
      onDone();
    },
  });
  const fault = (path: string) => faultAt(save.error, path);
  const placed = ["max_parallel", "error_strategy", "min_success_rate"].some(fault);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate({
      ...(width === "" ? {} : { max_parallel: Number(width) }),
      error_strategy: strategy,
      ...(strategy === "continue_on_partial" ? { min_success_rate: Number(rate) / 100 } : {}),
    });
  };
  return (
    <form onSubmit={submit}>
      <Stack gap={12} mt={8}>
        <NumberInput
          label="In parallel, at most"
          placeholder="as many as the pool has agents"
          min={1}
          max={10_000}
          allowDecimal={false}
          value={width}
          onChange={setWidth}
          error={fault("max_parallel")}
        />
        <Select
          label="When items fail"
          data={Object.entries(STRATEGIES).map(([value, label]) => ({ value, label }))}
          value={strategy}
          onChange={(next) => setStrategy(next ?? "fail_fast")}
          error={fault("error_strategy")}
        />
        {strategy === "continue_on_partial" && (
          <NumberInput
            label="At least so many must succeed"
            suffix=" %"
            min={0}
            max={100}
            value={rate}
            onChange={setRate}
            error={fault("min_success_rate")}
          />
        )}
        {save.error && !placed && <ErrorNote error={save.error} title="The settings stay as they are" />}
        <Group gap={8} justify="flex-end">
          <Button variant="default" size="xs" onClick={onDone}>
            Leave it
          </Button>
          <Button type="submit" size="xs" loading={save.isPending}>
            Save
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
