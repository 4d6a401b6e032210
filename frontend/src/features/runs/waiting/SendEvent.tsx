import { Button, Group, Stack, Textarea } from "@mantine/core";
import { IconSend } from "@tabler/icons-react";
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useRefusal } from "@/api/me";
import { signalRun } from "@/api/runs";
import type { Step } from "@/api/types";
import { isObject } from "@/canvas/json";
import { Allowed } from "@/components/Allowed";
import { ErrorNote } from "@/components/ErrorNote";
import { Countdown } from "./Countdown";
import classes from "./Waiting.module.css";

/** The event that a waiting step waits for; null when it waits for a time. */
export function eventOf(step: Step): string | null {
  return isObject(step.input) && typeof step.input.event === "string" ? step.input.event : null;
}

/** What a `wait` waits for: a time, with a countdown, or an event, with a form that sends it. */
export function WaitCard({ run, step }: { run: string; step: Step }) {
  const event = eventOf(step);
  return (
    <section className={classes.card} data-hue="amber" aria-label={`Wait ${step.id}`}>
      {event === null ? (
        <p className={classes.prompt}>
          {step.due_at ? (
            <>
              Goes on <Countdown to={step.due_at} past="in a moment" />
            </>
          ) : (
            "Waits for its time"
          )}
        </p>
      ) : (
        <>
          <p className={classes.prompt}>
            Waits for the event <code>{event}</code>
          </p>
          {step.due_at && (
            <p className={classes.terms}>
              Fails if it has not come <Countdown to={step.due_at} />
            </p>
          )}
          <SendEvent run={run} name={event} />
        </>
      )}
    </section>
  );
}

function SendEvent({ run, name }: { run: string; name: string }) {
  const refusal = useRefusal("editor");
  const [typed, setTyped] = useState("");
  const [fault, setFault] = useState<string | null>(null);
  const send = useMutation({ mutationFn: (payload: unknown) => signalRun(run, name, payload) });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    try {
      send.mutate(typed.trim() === "" ? null : JSON.parse(typed));
      setFault(null);
    } catch {
      setFault('This is not JSON. Texts stand in quotes: "like this".');
    }
  };
  return (
    <form onSubmit={submit}>
      <Stack gap={12}>
        <Textarea
          label="Payload (JSON)"
          description="What the step gives on; empty for nothing"
          placeholder='{"weight": 3.2}'
          rows={3}
          styles={{ input: { fontFamily: "var(--af-mono)", fontSize: 12 } }}
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
          error={fault}
          disabled={refusal !== null}
        />
        {send.error && <ErrorNote error={send.error} title="The event was not sent" />}
        <Group gap={8}>
          <Allowed refusal={refusal} says={`Sends ${name} to this run: the step goes on with the payload`}>
            {(may) => (
              <Button
                {...may}
                type="submit"
                leftSection={<IconSend size={16} aria-hidden />}
                loading={send.isPending}
              >
                Send event
              </Button>
            )}
          </Allowed>
        </Group>
      </Stack>
    </form>
  );
}
