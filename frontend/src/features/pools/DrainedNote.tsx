import { Button } from "@mantine/core";
import { IconPlayerPlay } from "@tabler/icons-react";
import { useRefusal } from "@/api/me";
import type { Pool } from "@/api/types";
import { Allowed } from "@/components/Allowed";
import { StateIcon } from "@/components/StateBadge";
import { plural } from "@/format";
import { useResuming } from "./actions/resuming";
import classes from "./Pools.module.css";

/** What a drained pool does not do, and how to take that back. */
export function DrainedNote({ pool }: { pool: Pool }) {
  const refusal = useRefusal("operator");
  const resume = useResuming(pool);
  const { waiting, states } = pool;
  return (
    <div className={classes.note} data-hue="amber" role="status">
      <StateIcon state="drained" size={16} />
      <span className={classes.noteText}>
        This pool is drained: nobody gets a lease until it is resumed.
        {states.active > 0 && ` ${plural(states.active, "agent")} still at work.`}
        {waiting > 0 && ` ${plural(waiting, "step")} ${waiting === 1 ? "waits" : "wait"} for that.`}
      </span>
      <Allowed refusal={refusal} says="Leases are given again; whoever waits is served">
        {(may) => (
          <Button
            {...may}
            variant="default"
            size="xs"
            leftSection={<IconPlayerPlay size={14} aria-hidden />}
            loading={resume.isPending}
            onClick={() => resume.mutate()}
          >
            Resume
          </Button>
        )}
      </Allowed>
    </div>
  );
}
