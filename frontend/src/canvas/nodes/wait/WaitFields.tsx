import { SegmentedControl } from "@mantine/core";
import { useState } from "react";
import type { Step } from "../../document";
import { DurationField, Section } from "../../fields/simple";
import { TemplateField } from "../../fields/TemplateField";
import { useDesigner } from "../../store";
import { suggestionsFor } from "../../suggestions";
import type { StepFieldsProps } from "../kinds";

type Reason = "duration" | "until" | "event";

function reasonOf(step: Step): Reason {
  if (step.event !== undefined) return "event";
  return step.until !== undefined ? "until" : "duration";
}

const FIRST: Record<Reason, Partial<Step>> = {
  duration: { duration: "10s" },
  until: { until: "" },
  event: { event: "" },
};

/** What it waits for: exactly one of the three. */
export function WaitFields({ step, path, set }: StepFieldsProps) {
  const document = useDesigner((state) => state.document);
  const readOnly = useDesigner((state) => state.readOnly);
  const reason = reasonOf(step);
  // Changing over and back must not cost what was written.
  const [kept, setKept] = useState<Partial<Record<Reason, Partial<Step>>>>({});
  const change = (to: Reason) => {
    const { duration, until, event, timeout } = step;
    setKept({ ...kept, [reason]: { duration, until, event, timeout } });
    const none = { duration: undefined, until: undefined, event: undefined, timeout: undefined };
    set({ ...none, ...(kept[to] ?? FIRST[to]) });
  };
  const suggestions = suggestionsFor(document, step, "other");
  return (
    <Section title="Waits">
      <SegmentedControl
        size="xs"
        fullWidth
        aria-label="What it waits for"
        value={reason}
        disabled={readOnly}
        onChange={(to) => change(to as Reason)}
        data={[
          { value: "duration", label: "For a while" },
          { value: "until", label: "Until a time" },
          { value: "event", label: "For an event" },
        ]}
      />
      {reason === "duration" && (
        <TemplateField
          path={`${path}.duration`}
          label="Duration"
          placeholder="10m"
          value={step.duration === undefined ? undefined : String(step.duration)}
          onChange={(duration = "") => set({ duration })}
          suggestions={suggestions}
          about="90s, 10m, 1h, or an expression that gives seconds."
        />
      )}
      {reason === "until" && (
        <TemplateField
          path={`${path}.until`}
          label="Time"
          placeholder="2027-01-31T09:00:00Z"
          value={typeof step.until === "string" ? step.until : undefined}
          onChange={(until = "") => set({ until })}
          suggestions={suggestions}
          about="A time with its zone, or an expression that gives one."
        />
      )}
      {reason === "event" && (
        <>
          <TemplateField
            path={`${path}.event`}
            label="Name of the event"
            placeholder="delivered"
            value={step.event}
            onChange={(event = "") => set({ event })}
            suggestions={suggestions}
            about="POST …/runs/RUN/signal/ with this name; its payload is the step's output."
          />
          <DurationField
            path={`${path}.timeout`}
            label="Wait at most"
            placeholder="for ever"
            value={step.timeout}
            onChange={(timeout) => set({ timeout })}
            about="Then the step fails."
          />
        </>
      )}
    </Section>
  );
}
