import { Progress, Stack, Table, Text } from "@mantine/core";
import { isUnderWay } from "@/api/simulations";
import type { Simulation, Verdict } from "@/api/types";
import { Trouble } from "@/components/Trouble";
import { count, duration, money, plural, seconds } from "@/format";
import { ParetoPicture } from "./ParetoPicture";
import { dotsOf } from "./pareto";
import classes from "./WhatIf.module.css";
import { policyName } from "./words";

/** How far a simulation is; then its table and picture. */
export function Results({ simulation }: { simulation: Simulation }) {
  const { results, error, progress } = simulation;
  if (error) return <Trouble>{error}</Trouble>;
  if (isUnderWay(simulation) || !results) {
    return (
      <Stack gap={8} role="status">
        <Text size="sm">
          {progress.done === 0
            ? "Waits for its turn, or has just begun."
            : `${count(progress.done)} of ${plural(progress.total, "run")} done.`}
        </Text>
        <Progress value={(100 * progress.done) / progress.total} aria-label="Part that is done" animated />
      </Stack>
    );
  }
  return (
    <>
      <ParetoPicture results={results} />
      <p className={classes.quiet}>
        Lower and further left is better. A policy on the dashed line is beaten by none in both at once.
      </p>
      <Verdicts simulation={simulation} results={results} />
      <p className={classes.quiet}>{conditionsOf(simulation)}</p>
    </>
  );
}

function Verdicts({ simulation, results }: { simulation: Simulation; results: Verdict[] }) {
  const best = new Set(dotsOf(results).flatMap((dot) => (dot.best ? [dot.policy] : [])));
  const priced = (simulation.conditions.price ?? 0) > 0;
  return (
    <Table.ScrollContainer minWidth={640} type="native">
      <Table aria-label="What each policy would have done" horizontalSpacing={8}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Policy</Table.Th>
            <Table.Th className={classes.number} title="Arrivals that waited no longer than was good enough">
              In time
            </Table.Th>
            <Table.Th className={classes.number}>Wait p50</Table.Th>
            <Table.Th className={classes.number}>p95</Table.Th>
            <Table.Th className={classes.number}>p99</Table.Th>
            <Table.Th className={classes.number}>Agent-hours</Table.Th>
            {priced && <Table.Th className={classes.number}>Cost</Table.Th>}
            <Table.Th className={classes.number} title="Changes of direction in an hour">
              Turns/h
            </Table.Th>
            <Table.Th className={classes.number} title="How long there was more work than agents, p95">
              Up
            </Table.Th>
            <Table.Th className={classes.number} title="Until it shrank once the load had halved, p95">
              Down
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {results.map((one) => (
            <Table.Tr key={one.policy}>
              <Table.Td className={classes.name} data-best={best.has(one.policy) || undefined}>
                {policyName(one.policy)}
              </Table.Td>
              <Table.Td className={classes.number} title={spreadOf(one)}>
                {inTime(one.slo_attainment)}
              </Table.Td>
              <Table.Td className={classes.number}>{duration(one.wait_p50 * 1000)}</Table.Td>
              <Table.Td className={classes.number}>{duration(one.wait_p95 * 1000)}</Table.Td>
              <Table.Td className={classes.number}>{duration(one.wait_p99 * 1000)}</Table.Td>
              <Table.Td className={classes.number}>{(one.agent_seconds / 3600).toFixed(2)}</Table.Td>
              {priced && (
                <Table.Td className={classes.number}>{money(one.cost, simulation.currency)}</Table.Td>
              )}
              <Table.Td className={classes.number}>{one.reversals_per_hour.toFixed(1)}</Table.Td>
              <Table.Td className={classes.number}>{seconds(one.scale_up_seconds)}</Table.Td>
              <Table.Td className={classes.number}>{seconds(one.scale_down_seconds)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

/** Two places: between 99.9 and 99.99 lies what one pays for. */
function inTime(share: number): string {
  return `${(share * 100).toFixed(2)} %`;
}

function spreadOf({ interval, seeds }: Verdict): string | undefined {
  const half = interval.slo_attainment;
  return half === undefined ? undefined : `± ${(half * 100).toFixed(2)} % over ${plural(seeds, "draw")}`;
}

function conditionsOf({ conditions, arrivals, seeds }: Simulation): string {
  const {
    hours = 0,
    service_mean = 0,
    start_time = 0,
    slo_wait = 0,
    mean_busy = 0,
    max_size = 0,
  } = conditions;
  const source = arrivals === "history" ? "the pool’s own arrivals" : "the trace";
  return (
    `${duration(hours * 3_600_000)} of ${source}, drawn ${seeds === 1 ? "once" : `${seeds} times`}: ` +
    `leases of ${seconds(service_mean)} keep ${mean_busy.toFixed(2)} agents busy on average, an agent starts in ` +
    `${seconds(start_time)}, at most ${plural(max_size, "agent")}, a wait of ${seconds(slo_wait)} is good enough.`
  );
}
