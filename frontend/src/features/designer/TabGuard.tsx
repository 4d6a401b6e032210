import { Button, Group, Modal, Text } from "@mantine/core";
import { useStore } from "zustand";
import type { DesignerStore } from "@/canvas/store";
import { DOCUMENT_TEXT } from "./DocumentTab";

interface Props {
  store: DesignerStore;
  opened: boolean;
  onStay: () => void;
  onLeave: () => void;
}

/** Asks before one leaves the Document tab with text in it that is no document. */
export function TabGuard({ store, opened, onStay, onLeave }: Props) {
  const fault = useStore(store, (state) => state.unreadable[DOCUMENT_TEXT]?.fault.message);
  const discard = () => {
    store.getState().setUnreadable(DOCUMENT_TEXT, null);
    onLeave();
  };
  return (
    <Modal opened={opened} onClose={onStay} title="This text is no document yet" size={520}>
      <Text>{fault}</Text>
      <Text c="dimmed" size="sm" mt={8}>
        The canvas shows the last text that was one. As a draft, what you typed waits here in the Document
        tab, also after a reload.
      </Text>
      <Group justify="flex-end" gap={8} mt={24}>
        <Button variant="subtle" color="gray" onClick={onStay}>
          Keep writing
        </Button>
        <Button variant="default" color="red" onClick={discard}>
          Discard what I typed
        </Button>
        <Button onClick={onLeave}>Leave it as a draft</Button>
      </Group>
    </Modal>
  );
}
