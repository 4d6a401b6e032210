import { SegmentedControl, Select } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { keys } from "@/api/keys";
import { getPools } from "@/api/pools";
import type { PoolOptions } from "@/canvas/document";
import classes from "@/canvas/fields/fields.module.css";
import { without } from "@/canvas/json";
import {
  ChoiceField,
  DurationField,
  NumberField,
  Pair,
  Section,
  SwitchField,
  TextField,
  useFault,
} from "@/canvas/fields/simple";
import type { StepFieldsProps } from "@/canvas/nodes/kinds";
import { useDesigner } from "@/canvas/store";
import { plural } from "@/format";

type Way = "shared" | "existing" | "own";

/** Where the step's agents come from: the shared pool, another pool by name, or one of its own. */
export function PoolFields({ step, path, set }: StepFieldsProps) {
  const workflow = useDesigner((state) => state.document);
  const pool = step.pool;
  const way: Way = pool === undefined ? "shared" : typeof pool === "string" ? "existing" : "own";
  const change = (to: Way) => {
    if (to === "shared") set({ pool: undefined });
    if (to === "existing")
      set({ pool: typeof pool === "string" ? pool : (workflow.defaults?.pool ?? "python") });
    if (to === "own") set({ pool: typeof pool === "object" ? pool : { mode: "pooled", size: 2 } });
  };
  return (
    <Section
      title="Pool"
      aside={
        <SegmentedControl
          size="xs"
          aria-label="Pool"
          value={way}
          onChange={(to) => change(to as Way)}
          data={[
            { value: "shared", label: "Shared" },
            { value: "existing", label: "Existing" },
            { value: "own", label: "Own" },
          ]}
        />
      }
    >
      {way === "shared" && (
        <p className={classes.about}>
          {workflow.defaults?.pool
            ? `Agents come from the workflow's pool, ${workflow.defaults.pool}.`
            : "Agents come from the team's shared pool of this image."}
        </p>
      )}
      {typeof pool === "string" && (
        <ExistingPool path={`${path}.pool`} pool={pool} onChange={(name) => set({ pool: name })} />
      )}
      {typeof pool === "object" && (
        <OwnPool
          name={`${workflow.name}-${step.id}`}
          path={`${path}.pool`}
          pool={pool}
          onChange={(fields) => set({ pool: without({ ...pool, ...fields }) })}
        />
      )}
    </Section>
  );
}

interface ExistingProps {
  path: string;
  pool: string;
  onChange: (name: string) => void;
}

function ExistingPool({ path, pool, onChange }: ExistingProps) {
  const fault = useFault(path);
  const { data } = useQuery({ queryKey: keys.pools(), queryFn: ({ signal }) => getPools(signal) });
  const pools = data?.results ?? [];
  const known = pools.map(({ name, image, states }) => ({
    value: name,
    label: name,
    about: `${image} · ${states.idle ?? 0} free`,
  }));
  const options = known.some(({ value }) => value === pool)
    ? known
    : [{ value: pool, label: pool, about: data ? "no pool is called that" : "" }, ...known];
  return (
    <Select
      label="Name of the pool"
      data-path={path}
      searchable
      data={options}
      value={pool}
      error={fault}
      renderOption={({ option }) => (
        <span>
          {option.label}{" "}
          <span className={classes.about}>{options.find(({ value }) => value === option.value)?.about}</span>
        </span>
      )}
      onChange={(name) => name && onChange(name)}
    />
  );
}

interface OwnProps {
  name: string;
  path: string;
  pool: PoolOptions;
  onChange: (fields: PoolOptions) => void;
}

const MODES: { value: "pooled" | "standard"; label: string }[] = [
  { value: "pooled", label: "Pooled: warm agents, used again" },
  { value: "standard", label: "Standard: a new agent each time" },
];

const CAPACITIES: { value: "any" | "on_demand" | "spot"; label: string }[] = [
  { value: "any", label: "Any" },
  { value: "on_demand", label: "On demand" },
  { value: "spot", label: "Spot" },
];

function OwnPool({ name, path, pool, onChange }: OwnProps) {
  const warm = pool.mode !== "standard";
  return (
    <>
      <ChoiceField
        path={`${path}.mode`}
        label="Mode"
        options={MODES}
        value={pool.mode ?? "pooled"}
        // What only warm pools have would be a fault in the other mode.
        onChange={(mode) =>
          onChange(
            mode === "standard"
              ? { mode, min_size: undefined, warm_up: undefined, max_uses: undefined }
              : { mode },
          )
        }
        about={`It is called ${name}, the same in every version.`}
      />
      <NumberField
        path={`${path}.size`}
        label="Size"
        placeholder="give this, or the two below"
        min={1}
        value={pool.size}
        onChange={(size) =>
          onChange(size === undefined ? { size } : { size, min_size: undefined, max_size: undefined })
        }
        about={pool.size === undefined ? undefined : sizeMeans(pool.size, warm)}
      />
      <Pair>
        <NumberField
          path={`${path}.min_size`}
          label="At least"
          min={0}
          value={pool.min_size}
          onChange={(min_size) =>
            onChange(min_size === undefined ? { min_size } : { min_size, size: undefined })
          }
        />
        <NumberField
          path={`${path}.max_size`}
          label="At most"
          min={1}
          value={pool.max_size}
          onChange={(max_size) =>
            onChange(max_size === undefined ? { max_size } : { max_size, size: undefined })
          }
        />
        <NumberField
          path={`${path}.max_uses`}
          label="Uses per agent"
          placeholder="100"
          min={1}
          value={pool.max_uses}
          onChange={(max_uses) => onChange({ max_uses })}
          about="Then it is replaced"
        />
        <DurationField
          path={`${path}.idle_timeout`}
          label="Idle time-out"
          placeholder="5m"
          value={pool.idle_timeout}
          onChange={(idle_timeout) => onChange({ idle_timeout })}
          about="Then it is let go"
        />
        <ChoiceField
          path={`${path}.capacity_type`}
          label="Capacity type"
          options={CAPACITIES}
          standard="any"
          value={pool.capacity_type}
          onChange={(capacity_type) => onChange({ capacity_type })}
          about="Of the nodes it runs on"
        />
        <TextField
          path={`${path}.zone`}
          label="Zone"
          placeholder="any"
          value={pool.zone}
          onChange={(zone) => onChange({ zone })}
          about="Of these nodes"
        />
      </Pair>
      <SwitchField
        path={`${path}.warm_up`}
        label="Warm up"
        about="Starts the least number of agents before the first call."
        value={pool.warm_up ?? false}
        onChange={(on) => onChange({ warm_up: on || undefined })}
      />
    </>
  );
}

function sizeMeans(size: number, warm: boolean): string {
  return warm ? `Keeps ${plural(size, "agent")} warm.` : `At most ${plural(size, "agent")} at once.`;
}
