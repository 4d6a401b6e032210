import { Button, Drawer, Group, Stack, Text } from "@mantine/core";
import { IconExternalLink, IconPlayerPlayFilled } from "@tabler/icons-react";
import { useMutation } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { tryStep } from "@/api/trials";
import { findStep, type Step } from "@/canvas/document";
import { useDesigner, useDesignerStore } from "@/canvas/store";
import { CodeEditor } from "@/components/CodeEditor";
import { ErrorNote } from "@/components/ErrorNote";
import { pretty } from "@/format";
import { pinnedInput } from "./pinned";
import { TrialResult } from "./TrialResult";

interface Props {
  /** Null when the drawer is closed. */
  step: string | null;
  onClose: () => void;
}

/** Runs one step alone, as it stands on the canvas, with an input that one gives. */
export function TryDrawer({ step: id, onClose }: Props) {
  const step = useDesigner((state) => findStep(state.document, id));
  return (
    <Drawer
      opened={step !== undefined}
      onClose={onClose}
      position="right"
      size={520}
      styles={{ title: { fontWeight: 600 } }}
      title={step ? `Try ${step.name ?? step.id}` : ""}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {step && <Trial key={step.id} step={step} />}
    </Drawer>
  );
}

/** What was pinned for a step stays for as long as the page is open. */
const pinned = new Map<string, string>();

function Trial({ step }: { step: Step }) {
  const store = useDesignerStore();
  const name = useDesigner((state) => state.document.name);
  const key = `${name}/${step.id}`;
  const [text, setText] = useState(
    () => pinned.get(key) ?? pretty(pinnedInput(store.getState().document, step)),
  );
  const [fault, setFault] = useState<string | null>(null);
  const trial = useMutation({
    mutationFn: (input: unknown) =>
      tryStep(name, { step: step.id, input, document: store.getState().document }),
  });
  const type = (typed: string) => {
    pinned.set(key, typed);
    setText(typed);
    setFault(null);
  };
  const start = () => {
    try {
      trial.mutate(text.trim() === "" ? null : (JSON.parse(text) as unknown));
    } catch (error) {
      setFault(`This is no JSON: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  const items = step.type === "map" || step.type === "mapreduce";
  return (
    <Stack gap={16}>
      <div>
        <Text size="sm" fw={500} mb={4}>
          {items ? "The list, pinned" : "Input, pinned"}
        </Text>
        <CodeEditor
          language="json"
          label="Pinned input"
          value={text}
          onChange={type}
          minHeight={96}
          maxHeight={280}
        />
        {fault && (
          <Text c="red" size="xs" mt={4} role="alert">
            {fault}
          </Text>
        )}
        <Text c="dimmed" size="xs" mt={4}>
          It stands in the place of {items ? "the step's list" : "the step's input"}. The step runs as it is
          on the canvas, saved or not; nothing else runs.
        </Text>
      </div>
      <Group justify="space-between">
        <Button
          leftSection={<IconPlayerPlayFilled size={14} aria-hidden />}
          loading={trial.isPending}
          onClick={start}
        >
          Run step
        </Button>
        {trial.data && (
          <Button
            component={Link}
            to="/runs/$id"
            params={{ id: trial.data.id } as never}
            variant="subtle"
            rightSection={<IconExternalLink size={14} aria-hidden />}
          >
            Open the run
          </Button>
        )}
      </Group>
      {trial.error && <ErrorNote error={trial.error} title="The step was not tried" />}
      {trial.data && <TrialResult key={trial.data.id} run={trial.data.id} step={step.id} />}
    </Stack>
  );
}
