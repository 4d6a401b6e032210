import { Button, Group, Stack, Text } from "@mantine/core";
import { IconCheck, IconX } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { keys } from "@/api/keys";
import { me } from "@/api/me";
import { decideStep } from "@/api/runs";
import type { Step } from "@/api/types";
import { Allowed } from "@/components/Allowed";
import { ErrorNote } from "@/components/ErrorNote";
import { JsonView } from "@/components/JsonView";
import { SchemaForm } from "@/components/SchemaForm";
import { StateIcon } from "@/components/StateBadge";
import { Ago } from "@/format/Ago";
import { asksForData, askedOf, type Decision, decisionOf, mayDecide, whoDecides } from "./asked";
import { Countdown } from "./Countdown";
import classes from "./Waiting.module.css";

interface Props {
  run: string;
  /** With its input. */
  step: Step;
}

/** What a person is asked, until when, and the form for the answer; afterwards, who decided. */
export function ApprovalCard({ run, step }: Props) {
  const asked = askedOf(step);
  const decision = decisionOf(step);
  if (!asked) return null;
  return (
    <section className={classes.card} data-hue={hueOf(step, decision)} aria-label={`Approval ${step.id}`}>
      {asked.prompt && <p className={classes.prompt}>{asked.prompt}</p>}
      {decision ? (
        <Decided decision={decision} />
      ) : step.state === "waiting" ? (
        <Asking run={run} step={step} />
      ) : null}
    </section>
  );
}

function hueOf(step: Step, decision: Decision | null): string {
  if (!decision) return step.state === "waiting" ? "amber" : "grey";
  return decision.approved ? "green" : "red";
}

function Asking({ run, step }: Props) {
  const client = useQueryClient();
  const person = useQuery(me).data;
  const asked = askedOf(step);
  const decide = useMutation({
    mutationFn: (answer: { approve: boolean; data: unknown }) => decideStep(run, step.id, answer),
    onSuccess: () => void client.invalidateQueries({ queryKey: keys.runLive(run) }),
  });
  if (!asked) return null;
  const may = !person || mayDecide(asked.approvers, { username: person.username, role: person.team.role });
  const refusal = may ? null : `This is for ${whoDecides(asked.approvers)} to decide.`;
  const form = asksForData(asked.form) ? asked.form : null;
  const formId = `approval-${step.id}`;
  if (decide.isSuccess) return <Text size="sm">Your decision is sent; the run goes on from it.</Text>;
  return (
    <Stack gap={12}>
      <p className={classes.terms}>
        For {whoDecides(asked.approvers)} to decide
        {step.due_at && (
          <>
            {" "}
            · ends <Countdown to={step.due_at} />
          </>
        )}
      </p>
      {form && may && (
        <SchemaForm
          id={formId}
          schema={form}
          initial={{}}
          onSubmit={(data) => decide.mutate({ approve: true, data })}
        />
      )}
      {decide.error && <ErrorNote error={decide.error} title="The decision was not taken" />}
      <Group gap={8}>
        <Allowed refusal={refusal}>
          {(props) => (
            <Button
              {...props}
              {...(form
                ? { type: "submit" as const, form: formId }
                : { onClick: () => decide.mutate({ approve: true, data: null }) })}
              leftSection={<IconCheck size={16} aria-hidden />}
              loading={decide.isPending && decide.variables.approve}
            >
              Approve
            </Button>
          )}
        </Allowed>
        <Allowed refusal={refusal}>
          {(props) => (
            <Button
              {...props}
              variant="default"
              leftSection={<IconX size={16} aria-hidden />}
              loading={decide.isPending && !decide.variables.approve}
              onClick={() => decide.mutate({ approve: false, data: null })}
            >
              Reject
            </Button>
          )}
        </Allowed>
      </Group>
    </Stack>
  );
}

function Decided({ decision }: { decision: Decision }) {
  const { approved, by, at, data } = decision;
  return (
    <Stack gap={12}>
      <p className={classes.decided}>
        <StateIcon state={approved ? "completed" : "failed"} size={16} />
        <span>
          {by === null
            ? `Nobody decided in time, so it was ${approved ? "approved" : "rejected"}`
            : `${approved ? "Approved" : "Rejected"} by ${by}`}
          , <Ago at={at} />
        </span>
      </p>
      {data !== null && data !== undefined && (
        <JsonView value={data} label="what was filled in" maxHeight={160} />
      )}
    </Stack>
  );
}
