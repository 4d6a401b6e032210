import { Title } from "@mantine/core";
import { JsonView } from "@/components/JsonView";
import { isFinal } from "@/components/states";
import { plural } from "@/format";
import { Ago } from "@/format/Ago";
import { placeOf } from "@/realtime/run/iterations";
import { useRunLive } from "@/realtime/run/useRunFeed";
import { Countdown } from "../waiting/Countdown";
import { WhyNote } from "../waiting/WhyNote";
import { Fact, Facts } from "./Facts";
import { FailureText } from "./FailureText";
import classes from "./Inspector.module.css";

/** The run itself, while no step is chosen. */
export function RunFacts({ id }: { id: string }) {
  const { data } = useRunLive(id);
  if (!data) return null;
  const { run } = data;
  const own = data.steps.filter((step) => placeOf(step.id) === null);
  return (
    <>
      <div className={classes.head}>
        <Title order={2}>Run</Title>
      </div>
      {run.error && <FailureText of="the run" failure={run.error} />}
      {(["pending", "paused", "waiting"].includes(run.state) || run.pause_requested_at) &&
        !isFinal(run.state) && (
          <WhyNote run={run.id} state={`${run.state} ${run.pause_requested_at ?? ""}`} />
        )}
      <Facts>
        <Fact name="Steps">
          {`${own.filter((step) => isFinal(step.state)).length} of ${plural(own.length, "step")} ended`}
        </Fact>
        <Fact name="Created">
          <Ago at={run.created_at} />
        </Fact>
        <Fact name="Started">
          <Ago at={run.started_at} />
        </Fact>
        <Fact name="Finished">
          <Ago at={run.finished_at} />
        </Fact>
        <Fact name="Started by">{run.created_by}</Fact>
        {run.deadline && !isFinal(run.state) && (
          <Fact name="Time is up">
            <Countdown to={run.deadline} />
          </Fact>
        )}
        {run.priority !== 0 && <Fact name="Priority">{run.priority}</Fact>}
        {run.tags.length > 0 && <Fact name="Tags">{run.tags.join(", ")}</Fact>}
      </Facts>
      <Title order={3} className={classes.section}>
        Params
      </Title>
      {hasAny(run.params) ? (
        <JsonView value={run.params} label="params" />
      ) : (
        <p className={classes.none}>This run was started without params.</p>
      )}
      <p className={classes.hint}>Choose a step on the graph to see its input, output and errors.</p>
    </>
  );
}

function hasAny(params: unknown): boolean {
  return typeof params === "object" && params !== null && Object.keys(params).length > 0;
}
