import { Anchor, Skeleton, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { stepDetail } from "@/api/runs";
import type { Step } from "@/api/types";
import { CopyId } from "@/components/CopyId";
import { ErrorNote } from "@/components/ErrorNote";
import { JsonView } from "@/components/JsonView";
import { StateBadge } from "@/components/StateBadge";
import { isFinal } from "@/components/states";
import { count } from "@/format";
import { Ago, Elapsed } from "@/format/Ago";
import { ItemsBar } from "../graph/ItemsBar";
import { typeOf } from "../stepTypes";
import { useRunView } from "../useRunView";
import { Fact, Facts } from "./Facts";
import { FailureText } from "./FailureText";
import classes from "./Inspector.module.css";

/** One step: where and when it ran, what it took and gave, why it failed. */
export function StepFacts({ run, step }: { run: string; step: Step }) {
  const { icon: Icon, word } = typeOf(step.type);
  // Events tell a step without its values: they are read anew when its state changes.
  const detail = useQuery(stepDetail(run, step.id, `${step.state} ${step.attempts}`));
  const agent = detail.data?.agent;
  return (
    <>
      <div className={classes.head}>
        <Icon size={18} stroke={1.8} aria-hidden />
        <Title order={2}>{step.id}</Title>
        <StateBadge state={step.state} />
      </div>
      {step.error && <FailureText of={step.id} failure={step.error} />}
      <Facts>
        <Fact name="Type">{word}</Fact>
        <Fact name="Pool">
          {step.pool ? (
            <Anchor component={Link} to="/pools" search={{ pool: step.pool } as never} inherit>
              {step.pool}
            </Anchor>
          ) : (
            "–"
          )}
        </Fact>
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
        {step.type !== "map" && <Fact name="Attempts">{count(step.attempts)}</Fact>}
        {step.needs.length > 0 && <Fact name="Needs">{step.needs.join(", ")}</Fact>}
      </Facts>
      {step.type === "map" && <ItemsFacts step={step} />}
      <Values run={run} step={step} />
    </>
  );
}

function ItemsFacts({ step }: { step: Step }) {
  const [, look] = useRunView();
  const { total, completed, failed, running } = step.counts;
  return (
    <div className={classes.items}>
      <div className={classes.itemsHead}>
        <Title order={3}>Items</Title>
        <Anchor component="button" type="button" size="sm" onClick={() => look({ tab: "items" })}>
          Show items
        </Anchor>
      </div>
      <div className={classes.itemsBar}>
        <ItemsBar counts={step.counts} />
      </div>
      <div className={classes.itemsFigures}>
        <span data-hue="green">{count(completed)} done</span>
        <span data-hue={failed > 0 ? "red" : "grey"}>{count(failed)} failed</span>
        <span data-hue={running > 0 ? "blue" : "grey"}>{count(running)} running</span>
        <span data-hue="grey">of {count(total)}</span>
      </div>
    </div>
  );
}

function Values({ run, step }: { run: string; step: Step }) {
  const { data, error, isPending, refetch } = useQuery(
    stepDetail(run, step.id, `${step.state} ${step.attempts}`),
  );
  if (error) return <ErrorNote error={error} onRetry={() => void refetch()} />;
  if (isPending) return <Skeleton height={96} mt={16} />;
  const over = isFinal(step.state);
  return (
    <>
      <Title order={3} className={classes.section}>
        Input
      </Title>
      {step.type === "map" && <p className={classes.none}>Each item has an input of its own.</p>}
      {step.type !== "map" && data.input == null && (
        <p className={classes.none}>{over ? "This step got no input." : "Known when the step starts."}</p>
      )}
      {step.type !== "map" && data.input != null && (
        <JsonView value={data.input} label={`input of ${step.id}`} maxHeight={240} />
      )}
      <Title order={3} className={classes.section}>
        Output
      </Title>
      {step.state === "completed" ? (
        <JsonView value={data.output ?? null} label={`output of ${step.id}`} maxHeight={320} />
      ) : (
        <p className={classes.none}>{over ? "It ended without an output." : "Known when the step ends."}</p>
      )}
    </>
  );
}
