import { Button, Skeleton, Stack } from "@mantine/core";
import { IconPlus, IconStack2 } from "@tabler/icons-react";
import { useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { useRefusal } from "@/api/me";
import { Allowed } from "@/components/Allowed";
import { EmptyState } from "@/components/EmptyState";
import { ErrorNote } from "@/components/ErrorNote";
import { PageHeader } from "@/components/PageHeader";
import { usePools } from "@/realtime/pools/usePoolsFeed";
import { Page } from "@/shell/Page";
import { PoolCard } from "./PoolCard";
import { PoolModal } from "./PoolModal";

/** Every pool of the team, live: how many agents are free, what they do, who waits. */
export default function PoolsPage() {
  const { pool: chosen } = useSearch({ from: "/pools" });
  const { data, error, isPending, refetch } = usePools();
  const [making, setMaking] = useState(false);
  const refusal = useRefusal("operator");
  const make = () => setMaking(true);
  return (
    <Page>
      <PageHeader title="Pools" about="Agents that are kept warm, and lent to steps one lease at a time.">
        <Allowed refusal={refusal}>
          {(may) => (
            <Button {...may} leftSection={<IconPlus size={16} aria-hidden />} onClick={make}>
              New pool
            </Button>
          )}
        </Allowed>
      </PageHeader>
      {error && <ErrorNote error={error} onRetry={() => void refetch()} />}
      {isPending && (
        <Stack gap={16}>
          <Skeleton height={216} radius="md" />
          <Skeleton height={216} radius="md" />
        </Stack>
      )}
      {data?.pools.length === 0 && (
        <EmptyState
          icon={IconStack2}
          title="No pools yet"
          action={
            <Button onClick={make} disabled={refusal !== null} title={refusal ?? undefined}>
              Make a pool
            </Button>
          }
        >
          A pool keeps agents of one image warm, so that a step starts in milliseconds. A workflow that asks
          for its own pool makes one by itself.
        </EmptyState>
      )}
      <Stack gap={16}>
        {data?.pools.map((pool) => (
          <PoolCard key={pool.name} pool={pool} chosen={pool.name === chosen} />
        ))}
      </Stack>
      {making && <PoolModal onClose={() => setMaking(false)} />}
    </Page>
  );
}
