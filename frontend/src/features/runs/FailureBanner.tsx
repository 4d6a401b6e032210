import { Button } from "@mantine/core";
import type { Run, Step } from "@/api/types";
import { StateIcon } from "@/components/StateBadge";
import { mayRetry, RetryButton } from "./actions/RunActions";
import classes from "./RunPage.module.css";
import { useRunView } from "./useRunView";

/** What failed first and why, one click away from the step. */
export function FailureBanner({ run, steps }: { run: Run; steps: Step[] }) {
  const [, look] = useRunView();
  const { error } = run;
  if (!error) return null;
  return (
    <div className={classes.banner} data-hue="red" role="alert">
      <StateIcon state="failed" size={18} />
      <div className={classes.bannerText}>
        <strong>{error.step ? `Step ${error.step} failed first` : "The run failed"}</strong>
        <div className={classes.bannerReason}>
          {error.type}: {error.message}
        </div>
      </div>
      {error.step && (
        <Button
          variant="default"
          size="xs"
          onClick={() => look({ step: error.step ?? undefined, item: undefined })}
        >
          Show the step
        </Button>
      )}
      {mayRetry(run, steps) && <RetryButton run={run} size="xs" />}
    </div>
  );
}
