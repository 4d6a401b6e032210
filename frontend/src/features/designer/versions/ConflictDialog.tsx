import { Button, Group, Modal, Text } from "@mantine/core";
import { Ago } from "@/format/Ago";
import type { Saving } from "../useSave";
import { DiffView } from "./DiffView";
import classes from "./DiffView.module.css";

/** Someone was faster: what they changed; then theirs, mine, or later. Nothing is lost either way. */
export function ConflictDialog({ saving }: { saving: Saving }) {
  const { conflict, busy, later, takeTheirs, saveOver } = saving;
  return (
    <Modal
      opened={conflict !== null}
      onClose={later}
      title="Someone saved a newer version"
      size={conflict?.diff ? 720 : 520}
    >
      {conflict && (
        <>
          <Text>
            <b>{conflict.theirs.created_by ?? "Somebody"}</b> saved <b>version {conflict.theirs.version}</b>{" "}
            <Ago at={conflict.theirs.created_at} />, while you edited version {conflict.mine}. Your changes
            are still here.
          </Text>
          {conflict.diff && (
            <section className={classes.theirs} aria-label="What they changed">
              <DiffView diff={conflict.diff} />
            </section>
          )}
          <Text c="dimmed" size="sm" mt={8}>
            Take theirs puts their version on the canvas; Undo brings yours back. Save mine over it makes a
            new version of yours; theirs stays in the list of versions.
          </Text>
          <Group justify="flex-end" gap={8} mt={24}>
            <Button variant="subtle" color="gray" onClick={later}>
              Decide later
            </Button>
            <Button variant="default" onClick={takeTheirs}>
              Take theirs
            </Button>
            <Button loading={busy} onClick={() => void saveOver()}>
              Save mine over it
            </Button>
          </Group>
        </>
      )}
    </Modal>
  );
}
