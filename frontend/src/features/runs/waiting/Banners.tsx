import { Button } from "@mantine/core";
import type { Run, Step } from "@/api/types";
import { useQuery } from "@tanstack/react-query";
import { markOf, stepDetail } from "@/api/runs";
import { StateIcon } from "@/components/StateBadge";
import { isFinal } from "@/components/states";
import { plural } from "@/format";
import { mayRetry, RetryButton } from "../actions/RunActions";
import run_ from "../RunPage.module.css";
import { useRunView } from "../useRunView";
import { askedOf, whoDecides } from "./asked";
import { Countdown } from "./Countdown";
import { eventOf } from "./SendEvent";
import { WhyNote } from "./WhyNote";

interface Props {
  run: Run;
  steps: Step[];
}

/** What somebody should know or do now: decide, send an event, look at what went wrong. */
export function Banners({ run, steps }: Props) {
  const open = steps.filter((step) => step.state === "waiting" && !isFinal(run.state));
  const partly = run.state === "completed" ? steps.filter((step) => step.counts.failed > 0) : [];
  return (
    <>
      {run.state === "pending" && <PendingBanner run={run} />}
      {open.map((step) => (
        <WaitingBanner key={step.id} run={run} step={step} />
      ))}
      {partly.length > 0 && <PartlyBanner run={run} steps={steps} failed={partly} />}
    </>
  );
}

/** A run that does not start within moments says why. */
function PendingBanner({ run }: { run: Run }) {
  return (
    <div className={run_.quietBanner}>
      <WhyNote run={run.id} state={run.state} />
    </div>
  );
}

function WaitingBanner({ run, step }: { run: Run; step: Step }) {
  const [view, look] = useRunView();
  const detail = useQuery(stepDetail(run.id, step.id, markOf(step))).data;
  const asked = step.type === "approval" ? askedOf(detail) : null;
  const event = detail ? eventOf(detail) : null;
  if (!detail || (step.type !== "approval" && event === null)) return null;
  return (
    <div className={run_.banner} data-hue="amber" role="region" aria-label={`${step.id} waits`}>
      <StateIcon state="waiting" size={18} />
      <div className={run_.bannerText}>
        <strong>
          {step.type === "approval"
            ? asked?.prompt || `${step.id} waits for a decision`
            : `${step.id} waits for the event ${event}`}
        </strong>
        <div className={run_.bannerNote}>
          {asked ? `For ${whoDecides(asked.approvers)} to decide` : "A program or a person sends it"}
          {step.due_at && (
            <>
              {" "}
              · time is up <Countdown to={step.due_at} />
            </>
          )}
        </div>
      </div>
      {view.step !== step.id && (
        <Button variant="default" size="xs" onClick={() => look({ step: step.id, item: undefined })}>
          {step.type === "approval" ? "Decide" : "Send it"}
        </Button>
      )}
    </div>
  );
}

function PartlyBanner({ run, steps, failed }: Props & { failed: Step[] }) {
  const [, look] = useRunView();
  const first = failed[0] as Step;
  const items = failed.reduce((sum, step) => sum + step.counts.failed, 0);
  return (
    <div className={run_.banner} data-hue="amber" role="region" aria-label="Failed items">
      <StateIcon state="failed" size={18} />
      <div className={run_.bannerText}>
        <strong>
          {plural(items, "item")} of {failed.map(({ id }) => id).join(", ")} failed
        </strong>
        <div className={run_.bannerNote}>The run was allowed to complete without them.</div>
      </div>
      <Button
        variant="default"
        size="xs"
        onClick={() => look({ step: first.id, tab: "items", items: "failed", item: undefined })}
      >
        Show why
      </Button>
      {mayRetry(run, steps) && <RetryButton run={run} size="xs" />}
    </div>
  );
}
