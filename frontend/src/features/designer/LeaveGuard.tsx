import { Button, Group, Modal, Text } from "@mantine/core";
import { useBlocker } from "@tanstack/react-router";
import { useStore } from "zustand";
import type { DesignerStore } from "@/canvas/store";
import { isUnsaved } from "./useSession";

interface Props {
  store: DesignerStore;
  save: () => Promise<boolean>;
}

/** Asks before unsaved changes are left; closing the window asks too, in the browser's own words. */
export function LeaveGuard({ store, save }: Props) {
  const unsaved = useStore(store, isUnsaved);
  const typed = useStore(store, (state) => Object.values(state.unreadable)[0]?.fault.path);
  const blocker = useBlocker({
    shouldBlockFn: ({ current, next }) => isUnsaved(store.getState()) && current.pathname !== next.pathname,
    enableBeforeUnload: () => unsaved,
    withResolver: true,
  });
  const blocked = blocker.status === "blocked";
  return (
    <Modal opened={blocked} onClose={() => blocker.reset?.()} title="Leave with unsaved changes?" size={480}>
      <Text>
        They are not part of the workflow yet. This browser keeps them, and brings them back when you open the
        workflow again.
      </Text>
      {typed && (
        <Text c="red" size="sm" mt={8}>
          What you typed at <code>{typed}</code> cannot be read yet: saving leaves it out. It stays in this
          browser as you typed it.
        </Text>
      )}
      <Group justify="flex-end" gap={8} mt={24}>
        <Button variant="subtle" color="gray" onClick={() => blocker.reset?.()}>
          Stay
        </Button>
        <Button variant="default" onClick={() => blocker.proceed?.()}>
          Leave
        </Button>
        <Button
          disabled={typed !== undefined}
          onClick={() =>
            void save().then((saved) => {
              if (saved) blocker.proceed?.();
              else blocker.reset?.();
            })
          }
        >
          Save and leave
        </Button>
      </Group>
    </Modal>
  );
}
