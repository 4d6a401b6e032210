import { Button, Skeleton, Tabs } from "@mantine/core";
import { IconAdjustments, IconChartArrowsVertical } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { me, useRefusal } from "@/api/me";
import { policiesInForce } from "@/api/scaling";
import type { PolicyInForce, Pool } from "@/api/types";
import { Allowed } from "@/components/Allowed";
import { EmptyState } from "@/components/EmptyState";
import { ErrorNote } from "@/components/ErrorNote";
import { Figure } from "@/components/Figure";
import { PageHeader } from "@/components/PageHeader";
import { StateBadge } from "@/components/StateBadge";
import { count, percent } from "@/format";
import { usePools } from "@/realtime/pools/usePoolsFeed";
import { useScaling } from "@/realtime/scaling/useScalingFeed";
import { Page } from "@/shell/Page";
import { DecisionDrawer } from "./DecisionDrawer";
import { Decisions } from "./Decisions";
import { ForecastPanel } from "./forecast/ForecastPanel";
import { PolicyModal } from "./policy/PolicyModal";
import classes from "./Scaling.module.css";
import { ScalingChart } from "./ScalingChart";
import { sizeOf } from "./ScalingPage";
import { useScalingSearch } from "./useScalingSearch";
import { WhatIf } from "./whatif/WhatIf";
import { modeOf, policyWords } from "./words";

/** One pool's size over time, every decision about it, and its policy. */
export default function PoolScalingPage() {
  const { pool: name } = useParams({ strict: false }) as { pool: string };
  const { search, set } = useScalingSearch();
  const { data, error, refetch } = usePools();
  const feed = useScaling();
  const policies = useQuery(policiesInForce);
  const own = useQuery(me).data?.team.slug;
  const pool = data?.pools.find((one) => one.name === name);
  const policy = policies.data?.find((one) => one.pool === name);
  const live = feed.data?.decisions.filter((one) => one.pool === name) ?? [];
  const failed = error ?? feed.error ?? policies.error;
  const again = () => void Promise.all([refetch(), feed.refetch(), policies.refetch()]);
  if (data && !pool) return <NoSuchPool name={name} />;
  return (
    <Page>
      <PageHeader title={name} about={policy ? <PolicyLine policy={policy} /> : "\u00a0"}>
        <EditButton onClick={() => set({ edit: "policy" })} />
      </PageHeader>
      {failed && <ErrorNote error={failed} onRetry={again} />}
      {pool ? <Figures pool={pool} /> : <Skeleton height={48} mb={16} />}
      <Tabs
        value={search.tab === "what-if" ? "what-if" : "decisions"}
        onChange={(tab) => set({ tab: tab === "what-if" ? tab : undefined })}
        keepMounted={false}
      >
        <Tabs.List mb={16}>
          <Tabs.Tab value="decisions">Decisions</Tabs.Tab>
          <Tabs.Tab value="what-if">What if</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="decisions">
          <ScalingChart pool={name} live={live} />
          {pool && pool.team === own && <ForecastPanel pool={name} />}
          <Decisions pool={name} live={live} />
        </Tabs.Panel>
        <Tabs.Panel value="what-if">
          <WhatIf pool={name} />
        </Tabs.Panel>
      </Tabs>
      {search.decision !== undefined && (
        <DecisionDrawer
          id={search.decision}
          known={live.find(({ id }) => id === search.decision)}
          onClose={() => set({ decision: undefined })}
        />
      )}
      {search.edit === "policy" && policy && (
        <PolicyModal found={policy} onClose={() => set({ edit: undefined })} />
      )}
    </Page>
  );
}

function EditButton({ onClick }: { onClick: () => void }) {
  const refusal = useRefusal("operator");
  return (
    <Allowed refusal={refusal} says="When the pool grows and shrinks, and between which sizes">
      {(may) => (
        <Button {...may} leftSection={<IconAdjustments size={16} aria-hidden />} onClick={onClick}>
          Edit policy
        </Button>
      )}
    </Allowed>
  );
}

function PolicyLine({ policy }: { policy: PolicyInForce }) {
  const { name, from } = policyWords(policy);
  return (
    <span className={classes.policy}>
      <span>
        Policy {name} ({from})
      </span>
      <StateBadge state={modeOf(policy)} />
    </span>
  );
}

function Figures({ pool }: { pool: Pool }) {
  return (
    <dl className={classes.figures}>
      <Figure size="lg" label="size" value={count(sizeOf(pool))} says="Agents that serve, or are about to" />
      <Figure
        size="lg"
        label="target"
        value={count(pool.target_size)}
        says="The size that the controller works towards"
      />
      {pool.standby > 0 && (
        <Figure
          size="lg"
          label="on standby"
          value={count(pool.standby)}
          says="Of the size: ready for agents whose uses may be up soon"
        />
      )}
      <Figure size="lg" label="leases" value={count(pool.leases)} says="Work that agents do now" />
      <Figure
        size="lg"
        label="waiting"
        value={count(pool.waiting)}
        says="Callers who wait for an agent"
        hue={pool.waiting > 0 ? "amber" : undefined}
      />
      <Figure
        size="lg"
        label="utilization"
        value={percent(pool.utilization)}
        says="The share of its agents that are at work"
      />
      <Figure
        size="lg"
        label="limits"
        value={`${count(pool.min_size)} to ${count(pool.max_size)}`}
        says="The pool’s own limits; its policy may narrow them"
      />
    </dl>
  );
}

function NoSuchPool({ name }: { name: string }) {
  return (
    <Page>
      <EmptyState
        icon={IconChartArrowsVertical}
        title={`There is no pool ${name}`}
        action={
          <Button component={Link} to="/scaling">
            See every pool
          </Button>
        }
      >
        It may have been deleted, or belong to another of your teams.
      </EmptyState>
    </Page>
  );
}
