import { ActionIcon, ScrollArea } from "@mantine/core";
import { IconX } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { stepDetail } from "@/api/runs";
import { ErrorNote } from "@/components/ErrorNote";
import { useLiveStep } from "@/realtime/run/useRunFeed";
import { useRunView } from "../useRunView";
import classes from "./Inspector.module.css";
import { RunFacts } from "./RunFacts";
import { StepFacts } from "./StepFacts";

/** What is known of the chosen step, or of the run while none is chosen. */
export function Inspector({ id }: { id: string }) {
  const [view, look] = useRunView();
  const told = useLiveStep(id, view.step ?? "");
  // Steps of a loop's earlier iterations are not in the feed.
  const asked = useQuery({
    ...stepDetail(id, view.step ?? "", "itself"),
    enabled: view.step !== undefined && !told,
    retry: false,
  });
  const step = told ?? (view.step ? asked.data : undefined);
  return (
    <aside className={classes.inspector} aria-label="Inspector">
      <ScrollArea
        className={classes.scroll}
        type="auto"
        viewportProps={{ tabIndex: 0, "aria-label": "Details" }}
      >
        <div className={classes.body}>
          {step && (
            <ActionIcon
              className={classes.close}
              variant="subtle"
              color="gray"
              aria-label="Show the run instead"
              onClick={() => look({ step: undefined, item: undefined })}
            >
              <IconX size={16} />
            </ActionIcon>
          )}
          {view.step && !told && asked.error && <ErrorNote error={asked.error} title="No such step" />}
          {step ? <StepFacts key={step.id} run={id} step={step} /> : <RunFacts id={id} />}
        </div>
      </ScrollArea>
    </aside>
  );
}
