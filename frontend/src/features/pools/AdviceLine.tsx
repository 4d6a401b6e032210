import { Button, Text } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { keys } from "@/api/keys";
import { usePoolRefusal } from "@/api/me";
import { applyAdvice, poolAdvice } from "@/api/pools";
import type { Pool } from "@/api/types";
import { Allowed } from "@/components/Allowed";
import { usePoolAct } from "./actions/usePoolAct";
import classes from "./Pools.module.css";

/** What the pool's agents really need, once that is known; a click gives them that. */
export function AdviceLine({ pool }: { pool: Pool }) {
  const { data } = useQuery(poolAdvice(pool.name));
  const client = useQueryClient();
  const refusal = usePoolRefusal(pool);
  const apply = usePoolAct({
    act: () => applyAdvice(pool.name),
    done: () => `The agents of ${pool.name} are being replaced by such ones.`,
    refused: `The limits of ${pool.name} stay as they are`,
    onDone: () => void client.invalidateQueries({ queryKey: keys.advice(pool.name) }),
  });
  if (!data || (data.cpu?.advised == null && data.memory?.advised == null)) return null;
  const worthIt = Object.keys(data.changes).length > 0;
  return (
    <div className={classes.advice}>
      <Text size="sm" c="dimmed" title="By the 90th percentile of what they used lately, and 15 % on top">
        Limits per agent: {data.sentence}
      </Text>
      {worthIt && (
        <Allowed refusal={refusal} says="Free agents are replaced now, leased ones after their lease">
          {(may) => (
            <Button
              {...may}
              variant="default"
              size="xs"
              loading={apply.isPending}
              aria-label={`Apply the advice for ${pool.name}`}
              onClick={() => apply.mutate()}
            >
              Apply
            </Button>
          )}
        </Allowed>
      )}
    </div>
  );
}
