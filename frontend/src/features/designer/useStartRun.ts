import { notifications } from "@mantine/notifications";
import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useCallback, useState } from "react";
import { freshKey } from "@/api/ids";
import { keys } from "@/api/keys";
import { startRun } from "@/api/workflows";
import type { DesignerStore } from "@/canvas/store";
import { paramsOf } from "@/features/workflows/params";
import { openRunModal } from "@/features/workflows/RunModal";

/** Saves what is unsaved, asks for params when there are any, starts a run, and opens its page. */
export function useStartRun(store: DesignerStore, name: string, save: () => Promise<boolean>) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const [starting, setStarting] = useState(false);
  const start = useCallback(async () => {
    if (!(await save())) return;
    const { base } = store.getState();
    if (paramsOf(base.document)) {
      openRunModal({ workflow: name, version: base.version });
      return;
    }
    setStarting(true);
    try {
      const run = await startRun(name, { params: {}, version: base.version }, freshKey());
      void client.invalidateQueries({ queryKey: keys.runs() });
      await navigate({ to: "/runs/$id", params: { id: run.id } });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      notifications.show({ color: "red", title: "The run was not started", message });
    } finally {
      setStarting(false);
    }
  }, [client, name, navigate, save, store]);
  return { start, starting };
}
