import { Button, Table } from "@mantine/core";
import { IconChartArrowsVertical } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { me } from "@/api/me";
import { forecastList, policiesInForce } from "@/api/scaling";
import type { Decision, Forecast, PolicyInForce, Pool } from "@/api/types";
import { EmptyState } from "@/components/EmptyState";
import { ErrorNote } from "@/components/ErrorNote";
import { PageHeader } from "@/components/PageHeader";
import { StateBadge } from "@/components/StateBadge";
import { RowsSkeleton } from "@/features/runs/RowsSkeleton";
import { count, plural } from "@/format";
import { Ago } from "@/format/Ago";
import { usePools } from "@/realtime/pools/usePoolsFeed";
import { useScaling } from "@/realtime/scaling/useScalingFeed";
import { Page } from "@/shell/Page";
import classes from "./Scaling.module.css";
import { modeOf, policyWords } from "./words";

/** Every pool of the team with its policy, its size, and what was decided about it last. */
export default function ScalingPage() {
  const own = useQuery(me).data?.team.slug;
  const { data, error, isPending, refetch } = usePools();
  const decisions = useScaling();
  const policies = useQuery(policiesInForce);
  const forecasts = useQuery(forecastList);
  const pools = data?.pools.filter((pool) => own === undefined || pool.team === own) ?? [];
  const failed = error ?? decisions.error ?? policies.error ?? forecasts.error;
  const again = () =>
    void Promise.all([refetch(), decisions.refetch(), policies.refetch(), forecasts.refetch()]);
  return (
    <Page>
      <PageHeader
        title="Scaling"
        about="How large each pool is, why, and the policy that decides it. Changes come live."
      />
      {failed && <ErrorNote error={failed} onRetry={again} />}
      {isPending && <RowsSkeleton rows={4} />}
      {data && pools.length === 0 && <NoPools />}
      {pools.length > 0 && (
        <div className={classes.card}>
          <Table.ScrollContainer minWidth={720} type="native">
            <Table highlightOnHover aria-label="Pools and their policies">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>Pool</Table.Th>
                  <Table.Th>Policy</Table.Th>
                  <Table.Th className={classes.number} title="Agents, and how many are wanted">
                    Size
                  </Table.Th>
                  <Table.Th className={classes.number} title="Leases now, and callers who wait for one">
                    Load
                  </Table.Th>
                  <Table.Th w="45%">Last decision</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {pools.map((pool) => (
                  <PoolRow
                    key={pool.id}
                    pool={pool}
                    policy={policies.data?.find((one) => one.pool === pool.name)}
                    forecast={forecasts.data?.find((one) => one.pool === pool.name)}
                    last={decisions.data?.decisions.find((one) => one.pool === pool.name)}
                  />
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        </div>
      )}
    </Page>
  );
}

interface RowProps {
  pool: Pool;
  policy: PolicyInForce | undefined;
  /** Where the policy asks for one. */
  forecast: Forecast | undefined;
  last: Decision | undefined;
}

function PoolRow({ pool, policy, forecast, last }: RowProps) {
  const navigate = useNavigate();
  const words = policy && policyWords(policy);
  return (
    <Table.Tr
      className={classes.row}
      onClick={() => void navigate({ to: "/scaling/$pool", params: { pool: pool.name } })}
    >
      <Table.Td>
        <Link
          to="/scaling/$pool"
          params={{ pool: pool.name }}
          className={classes.name}
          onClick={(event) => event.stopPropagation()}
        >
          {pool.name}
        </Link>
        {pool.workflow && <div className={classes.quiet}>of {pool.workflow}</div>}
      </Table.Td>
      <Table.Td>
        {policy && words && (
          <>
            <div className={classes.policy}>
              {words.name} <StateBadge state={modeOf(policy)} />
            </div>
            <div className={classes.quiet}>{words.from}</div>
          </>
        )}
        {forecast && (
          <div className={classes.quiet} title={forecast.explanation}>
            {forecast.on && forecast.floor !== null
              ? `forecast: ${plural(forecast.floor, "agent")} at least`
              : "forecast not heeded"}
          </div>
        )}
      </Table.Td>
      <Table.Td className={classes.number}>
        {sizeOf(pool) - pool.standby === pool.target_size
          ? count(pool.target_size)
          : `${count(sizeOf(pool) - pool.standby)} → ${count(pool.target_size)}`}
        {pool.standby > 0 && (
          <div className={classes.quiet} title="Ready for others whose uses may be up soon">
            {count(pool.standby)} on standby
          </div>
        )}
        <div className={classes.quiet}>
          {count(pool.min_size)} to {count(pool.max_size)}
        </div>
      </Table.Td>
      <Table.Td className={classes.number}>
        {count(pool.leases)}
        {pool.waiting > 0 && (
          <div className={classes.waits} data-hue="amber">
            {count(pool.waiting)} wait
          </div>
        )}
      </Table.Td>
      <Table.Td>
        {last ? (
          <>
            <div>{last.explanation}.</div>
            <div className={classes.quiet}>
              <Ago at={last.at} />
            </div>
          </>
        ) : (
          <span className={classes.quiet}>nothing lately</span>
        )}
      </Table.Td>
    </Table.Tr>
  );
}

/** Agents that serve or are about to. */
export function sizeOf({ states }: Pool): number {
  return states.starting + states.idle + states.active;
}

function NoPools() {
  return (
    <EmptyState
      icon={IconChartArrowsVertical}
      title="No pools to scale yet"
      action={
        <Button component={Link} to="/pools">
          Go to the pools
        </Button>
      }
    >
      A pool’s size follows its load by a policy, and each decision is told here with its reason. Make a pool,
      or run a workflow that asks for one.
    </EmptyState>
  );
}
