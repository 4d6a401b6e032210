import { Skeleton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { simulationDetail, simulationList } from "@/api/simulations";
import { ErrorNote } from "@/components/ErrorNote";
import { useScalingSearch } from "../useScalingSearch";
import { Earlier } from "./Earlier";
import { Results } from "./Results";
import { Setup } from "./Setup";
import classes from "./WhatIf.module.css";

/** What other policies would have made of the pool's load: no agent is touched by it. */
export function WhatIf({ pool }: { pool: string }) {
  const { search, set } = useScalingSearch();
  const earlier = useQuery(simulationList(pool));
  const chosen = search.simulation ?? earlier.data?.[0]?.id;
  return (
    <div className={classes.columns}>
      <section className={classes.panel} aria-label="What to simulate">
        <Setup pool={pool} onStarted={(simulation) => set({ simulation })} />
      </section>
      <section className={classes.panel} aria-label="Results">
        {earlier.error && <ErrorNote error={earlier.error} onRetry={() => void earlier.refetch()} />}
        {earlier.isPending && <Skeleton height={240} />}
        {earlier.data && earlier.data.length > 0 && (
          <Earlier list={earlier.data} chosen={chosen} onChoose={(simulation) => set({ simulation })} />
        )}
        {chosen !== undefined && <Chosen id={chosen} key={chosen} />}
        {earlier.data?.length === 0 && chosen === undefined && (
          <p className={classes.quiet}>
            Choose policies and run them: each is replayed against the same arrivals, apart from the real
            pool. The table and the picture tell what it would have cost, and how long callers would have
            waited.
          </p>
        )}
      </section>
    </div>
  );
}

function Chosen({ id }: { id: string }) {
  const { data, error, isPending, refetch } = useQuery(simulationDetail(id));
  if (error) return <ErrorNote error={error} onRetry={() => void refetch()} />;
  if (isPending) return <Skeleton height={240} />;
  return <Results simulation={data} />;
}
