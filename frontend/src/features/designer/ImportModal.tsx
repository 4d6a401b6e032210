import { Button, FileButton, Group, Modal, Stack, Text } from "@mantine/core";
import { IconUpload } from "@tabler/icons-react";
import { useEffect, useState } from "react";
import type { WorkflowDocument } from "@/canvas/document";
import { CodeEditor } from "@/components/CodeEditor";
import { plural } from "@/format";
import { documentIn } from "./importing";

interface Props {
  opened: boolean;
  name: string;
  onClose: () => void;
  /** Puts it on the canvas, as an unsaved change. */
  onOpen: (document: WorkflowDocument) => void;
  /** Saves it as a new version; true when that worked. */
  onSave: (document: WorkflowDocument) => Promise<boolean>;
}

/** Takes a document out of a file, or of pasted text. */
export function ImportModal(props: Props) {
  return (
    <Modal opened={props.opened} onClose={props.onClose} title="Import" size={640}>
      {props.opened && <Import {...props} />}
    </Modal>
  );
}

function Import({ name, onClose, onOpen, onSave }: Props) {
  const [text, setText] = useState("");
  const [found, setFound] = useState<WorkflowDocument | string | null>(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    let asked = true;
    void documentIn(text).then((read) => {
      if (asked) setFound(text.trim() === "" ? null : read);
    });
    return () => {
      asked = false;
    };
  }, [text]);
  const document = found !== null && typeof found !== "string" ? { ...found, name } : null;
  const save = async () => {
    if (!document) return;
    setBusy(true);
    await onSave(document);
    setBusy(false);
    // What is wrong is on the canvas and in the list of problems now.
    onClose();
  };
  return (
    <Stack gap={12}>
      <Group justify="space-between">
        <Text size="sm" c="dimmed">
          Paste a document, JSON or YAML, or choose a file.
        </Text>
        <FileButton
          accept=".json,.yaml,.yml,application/json,application/yaml"
          onChange={(file) => void file?.text().then(setText)}
        >
          {(button) => (
            <Button
              {...button}
              variant="default"
              size="xs"
              leftSection={<IconUpload size={14} aria-hidden />}
            >
              Choose a file
            </Button>
          )}
        </FileButton>
      </Group>
      <CodeEditor
        language="text"
        label="Document to import"
        value={text}
        onChange={setText}
        minHeight={220}
        maxHeight={360}
        placeholder={'steps:\n  - id: hello\n    type: task\n    run: {code: "def main(): return 1"}'}
      />
      {typeof found === "string" && (
        <Text c="red" size="sm" role="alert">
          {found}
        </Text>
      )}
      {document && (
        <Text size="sm" role="status">
          {plural(document.steps.length, "step")}.
          {typeof found === "object" &&
            found?.name !== name &&
            ` It will be called ${name}, as this workflow is.`}
        </Text>
      )}
      <Group justify="flex-end" gap={8}>
        <Button variant="subtle" color="gray" onClick={onClose}>
          Cancel
        </Button>
        <Button
          variant="default"
          disabled={!document}
          onClick={() => {
            if (document) onOpen(document);
            onClose();
          }}
        >
          Put on the canvas
        </Button>
        <Button disabled={!document} loading={busy} onClick={() => void save()}>
          Save as a new version
        </Button>
      </Group>
    </Stack>
  );
}
