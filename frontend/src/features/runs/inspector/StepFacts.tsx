import { Anchor, Skeleton, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { markOf, stepDetail } from "@/api/runs";
import type { Step } from "@/api/types";
import { CopyId } from "@/components/CopyId";
import { ErrorNote } from "@/components/ErrorNote";
import { JsonView } from "@/components/JsonView";
import { StateBadge } from "@/components/StateBadge";
import { isFinal } from "@/components/states";
import { count, shortId } from "@/format";
import { Ago, Elapsed } from "@/format/Ago";
import { placeOf } from "@/realtime/run/iterations";
import { useRunLive } from "@/realtime/run/useRunFeed";
import { hasItems } from "../counts";
import { ItemsBar } from "../graph/ItemsBar";
import { childRunOf } from "../progress";
import { typeOf } from "../stepTypes";
import { useRunView } from "../useRunView";
import { ApprovalCard } from "../waiting/ApprovalCard";
import { Countdown } from "../waiting/Countdown";
import { WaitCard } from "../waiting/SendEvent";
import { needsReason, WhyNote } from "../waiting/WhyNote";
import { Fact, Facts } from "./Facts";
import { FailureText } from "./FailureText";
import classes from "./Inspector.module.css";
import { Iterations } from "./Iterations";
import { MapSettings } from "./MapSettings";
import { ProgressFacts } from "./ProgressFacts";

/** One step: where and when it ran, what it took and gave, why it waits or failed. */
export function StepFacts({ run, step }: { run: string; step: Step }) {
  const { icon: Icon } = typeOf(step.type);
  const detail = useQuery(stepDetail(run, step.id, markOf(step))).data;
  // The state of the feed, the values of the answer.
  const whole: Step = { ...step, input: detail?.input, output: detail?.output };
  const live = useRunLive(run).data?.run;
  const over = isFinal(step.state);
  const place = placeOf(step.id);
  return (
    <>
      <div className={classes.head}>
        <Icon size={18} stroke={1.8} aria-hidden />
        <Title order={2}>{place ? place.own : step.id}</Title>
        <StateBadge state={step.state} />
      </div>
      {place && <LoopPath loop={place.loop} iteration={place.iteration} />}
      {step.error && step.type !== "approval" && <FailureText of={step.id} failure={step.error} />}
      {detail && step.type === "approval" && <ApprovalCard run={run} step={whole} />}
      {detail && step.type === "wait" && step.state === "waiting" && <WaitCard run={run} step={whole} />}
      {needsReason(step) && <WhyNote run={run} step={step.id} state={step.state} />}
      <ProgressFacts step={step} />
      <StepTable step={step} agent={detail?.agent} child={childRunOf({ ...step, ...pickChild(detail) })} />
      {hasItems(step) && <ItemsFacts step={step} />}
      {hasItems(step) && live && !over && !isFinal(live.state) && (
        <MapSettings run={live} step={{ ...step, settings: step.settings ?? detail?.settings ?? null }} />
      )}
      {step.type === "loop" && <Iterations key={step.id} run={run} loop={step} />}
      <Values run={run} step={step} />
    </>
  );
}

function pickChild(detail: Step | undefined): { child_run: string | null } {
  return { child_run: detail?.child_run ?? null };
}

function LoopPath({ loop, iteration }: { loop: string; iteration: number }) {
  const [, look] = useRunView();
  return (
    <p className={classes.path}>
      <Anchor
        component="button"
        type="button"
        size="sm"
        onClick={() => look({ step: loop, item: undefined })}
      >
        {loop}
      </Anchor>{" "}
      / iteration {count(iteration + 1)}
    </p>
  );
}

interface TableProps {
  step: Step;
  agent: string | null | undefined;
  child: string | null;
}

function StepTable({ step, agent, child }: TableProps) {
  return (
    <Facts>
      <Fact name="Type">{typeOf(step.type).word}</Fact>
      {step.pool && (
        <Fact name="Pool">
          <Anchor component={Link} to="/pools" search={{ pool: step.pool } as never} inherit>
            {step.pool}
          </Anchor>
        </Fact>
      )}
      {child && (
        <Fact name="Its run">
          <Anchor component={Link} to={`/runs/${child}`} inherit className="mono">
            {shortId(child)}
          </Anchor>
        </Fact>
      )}
      {agent && (
        <Fact name="Agent">
          <CopyId id={agent} />
        </Fact>
      )}
      <Fact name="Started">
        <Ago at={step.started_at} />
      </Fact>
      <Fact name="Duration">
        <Elapsed from={step.started_at} to={step.finished_at} />
      </Fact>
      {!hasItems(step) && step.attempts > 0 && <Fact name="Attempts">{count(step.attempts)}</Fact>}
      {step.retry_at && step.state === "queued" && (
        <Fact name="Next attempt">
          <Countdown to={step.retry_at} />
        </Fact>
      )}
      {step.needs.length > 0 && <Fact name="Needs">{step.needs.join(", ")}</Fact>}
    </Facts>
  );
}

function ItemsFacts({ step }: { step: Step }) {
  const [, look] = useRunView();
  const { total, completed, failed, running } = step.counts;
  const gone = isFinal(step.state) ? total - completed - failed : 0;
  return (
    <div className={classes.items}>
      <div className={classes.itemsHead}>
        <Title order={3}>Items</Title>
        <Anchor
          component="button"
          type="button"
          size="sm"
          onClick={() => look({ tab: "items", step: step.id, items: failed > 0 ? "failed" : undefined })}
        >
          {failed > 0 ? "Show failures" : "Show items"}
        </Anchor>
      </div>
      <div className={classes.itemsBar}>
        <ItemsBar counts={step.counts} />
      </div>
      <div className={classes.itemsFigures}>
        <span data-hue="green">{count(completed)} done</span>
        <span data-hue={failed > 0 ? "red" : "grey"}>{count(failed)} failed</span>
        <span data-hue={running > 0 ? "blue" : "grey"}>{count(running)} running</span>
        {gone > 0 && <span data-hue="grey">{count(gone)} cancelled</span>}
        <span data-hue="grey">of {count(total)}</span>
      </div>
    </div>
  );
}

function Values({ run, step }: { run: string; step: Step }) {
  const { data, error, isPending, refetch } = useQuery(stepDetail(run, step.id, markOf(step)));
  if (error) return <ErrorNote error={error} onRetry={() => void refetch()} />;
  if (isPending) return <Skeleton height={96} mt={16} />;
  const over = isFinal(step.state);
  const asks = step.type === "approval" || step.type === "wait" || step.type === "branch";
  return (
    <>
      {!asks && (
        <>
          <Title order={3} className={classes.section}>
            Input
          </Title>
          {hasItems(step) ? (
            <p className={classes.none}>Each item has an input of its own.</p>
          ) : data.input == null ? (
            <p className={classes.none}>{over ? "This step got no input." : "Known when the step starts."}</p>
          ) : (
            <JsonView value={data.input} label={`input of ${step.id}`} maxHeight={240} />
          )}
        </>
      )}
      <Title order={3} className={classes.section}>
        Output
      </Title>
      {step.state === "completed" || step.state === "compensated" || data.output != null ? (
        <JsonView value={data.output ?? null} label={`output of ${step.id}`} maxHeight={320} />
      ) : (
        <p className={classes.none}>{over ? "It ended without an output." : "Known when the step ends."}</p>
      )}
    </>
  );
}
