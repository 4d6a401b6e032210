import { notifications } from "@mantine/notifications";
import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useRef, useState } from "react";
import { ApiProblem } from "@/api/client";
import { keys } from "@/api/keys";
import type { WorkflowDetail } from "@/api/types";
import { saveWorkflow, versionList, workflowDetail } from "@/api/workflows";
import type { DesignerStore } from "@/canvas/store";
import { drawable } from "./useSession";

/** Someone saved a newer version than the one that was edited here. */
export interface Conflict {
  theirs: WorkflowDetail;
  /** Who saved the newest version, and when. */
  by: string;
  at: string;
  mine: number;
}

export interface Saving {
  /** True when the document is saved now: nothing was to be done, or it worked. */
  save: () => Promise<boolean>;
  busy: boolean;
  conflict: Conflict | null;
  /** Loads theirs; one can undo back to one's own. */
  takeTheirs: () => void;
  /** Makes a new version over theirs, which stays in the list of versions. */
  saveOver: () => Promise<boolean>;
  later: () => void;
}

/** Saves the document as a new version; a newer one of somebody else is never overwritten unasked. */
export function useSave(store: DesignerStore, name: string): Saving {
  const client = useQueryClient();
  const [busy, setBusy] = useState(false);
  const running = useRef<Promise<boolean> | null>(null);
  const [conflict, setConflict] = useState<Conflict | null>(null);

  const send = useCallback(
    async (etag: string): Promise<boolean> => {
      const { document, base } = store.getState();
      try {
        const saved = await saveWorkflow(name, document, etag);
        // What was typed while the request was under way stays unsaved.
        store.getState().rebase({ document, version: saved.version, etag: saved.etag });
        client.setQueryData(keys.workflow(name), saved);
        void client.invalidateQueries({ queryKey: keys.versions(name) });
        void client.invalidateQueries({ queryKey: keys.workflows(), refetchType: "none" });
        setConflict(null);
        return true;
      } catch (error) {
        if (error instanceof ApiProblem && error.status === 412) {
          setConflict(await conflictNow());
          return false;
        }
        if (error instanceof ApiProblem && error.errors.length > 0)
          store.getState().setProblems(error.errors);
        const message = error instanceof Error ? error.message : String(error);
        notifications.show({ color: "red", title: "Not saved", message });
        return false;
      }

      async function conflictNow(): Promise<Conflict> {
        const [theirs, versions] = await Promise.all([
          client.fetchQuery({ ...workflowDetail(name), staleTime: 0 }),
          client.fetchQuery({ ...versionList(name), staleTime: 0 }),
        ]);
        const newest = versions.results.find(({ version }) => version === theirs.version);
        const by = newest?.created_by ?? theirs.created_by;
        return { theirs, by, at: newest?.created_at ?? theirs.updated_at, mine: base.version };
      }
    },
    [client, name, store],
  );

  /** One request at a time: a second press waits for the first. */
  const once = useCallback(
    (etag: string): Promise<boolean> => {
      if (running.current) return running.current;
      setBusy(true);
      running.current = send(etag)
        .catch((error: unknown) => {
          notifications.show({ color: "red", title: "Not saved", message: String(error) });
          return false;
        })
        .finally(() => {
          running.current = null;
          setBusy(false);
        });
      return running.current;
    },
    [send],
  );

  const save = useCallback(async () => {
    const { dirty, base } = store.getState();
    return dirty ? once(base.etag) : true;
  }, [store, once]);

  const takeTheirs = useCallback(() => {
    if (!conflict) return;
    const { version, etag } = conflict.theirs;
    const document = drawable(conflict.theirs, name);
    store.getState().apply(() => document);
    store.getState().rebase({ document, version, etag });
    setConflict(null);
  }, [conflict, name, store]);

  const saveOver = useCallback(async () => (conflict ? once(conflict.theirs.etag) : false), [conflict, once]);

  return { save, busy, conflict, takeTheirs, saveOver, later: useCallback(() => setConflict(null), []) };
}
