import { Button, Text } from "@mantine/core";
import { modals } from "@mantine/modals";
import { IconPlayerPause, IconPlayerPlay, IconPlayerStop } from "@tabler/icons-react";
import { useRunRefusal } from "@/api/me";
import { cancelRun, pauseRun, resumeRun } from "@/api/runs";
import type { Run } from "@/api/types";
import { Allowed } from "@/components/Allowed";
import { useRunAct } from "./useRunAct";

/** Holds the run, or lets it go on. */
export function PauseButton({ run }: { run: Run }) {
  const refusal = useRunRefusal(run);
  const pause = useRunAct(run, () => pauseRun(run.id), "The run was not paused");
  const resume = useRunAct(run, () => resumeRun(run.id), "The run was not resumed");
  if (run.cancel_requested_at) return null;
  if (run.pause_requested_at || run.state === "paused") {
    return (
      <Allowed refusal={refusal} says="Goes on where it was held">
        {(may) => (
          <Button
            {...may}
            leftSection={<IconPlayerPlay size={16} aria-hidden />}
            loading={resume.isPending}
            onClick={() => resume.mutate()}
          >
            Resume
          </Button>
        )}
      </Allowed>
    );
  }
  return (
    <Allowed refusal={refusal} says="Nothing new starts; what is running finishes first">
      {(may) => (
        <Button
          {...may}
          variant="default"
          leftSection={<IconPlayerPause size={16} aria-hidden />}
          loading={pause.isPending}
          onClick={() => pause.mutate()}
        >
          Pause
        </Button>
      )}
    </Allowed>
  );
}

/** Ends the run for good; it asks first. */
export function CancelButton({ run }: { run: Run }) {
  const refusal = useRunRefusal(run);
  const cancel = useRunAct(run, () => cancelRun(run.id), "The run was not cancelled");
  const asked = Boolean(run.cancel_requested_at);
  const ask = () =>
    modals.openConfirmModal({
      title: "Cancel this run?",
      children: (
        <Text>
          Steps at work are stopped and their results are lost; finished steps keep theirs. Agents go back to
          their pools. What did not complete can be retried later.
        </Text>
      ),
      labels: { confirm: "Cancel the run", cancel: "Keep it running" },
      confirmProps: { color: "red" },
      groupProps: { mt: 24, gap: 8 },
      onConfirm: () => cancel.mutate(),
    });
  return (
    <Allowed refusal={refusal} says="Stops what is under way, and ends the run">
      {(may) => (
        <Button
          {...may}
          disabled={may.disabled || asked}
          variant="default"
          leftSection={<IconPlayerStop size={16} aria-hidden />}
          loading={cancel.isPending}
          onClick={ask}
        >
          {asked ? "Cancelling…" : "Cancel"}
        </Button>
      )}
    </Allowed>
  );
}
