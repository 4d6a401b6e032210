import { notifications } from "@mantine/notifications";
import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useRef, useState } from "react";
import { ApiProblem } from "@/api/client";
import { keys } from "@/api/keys";
import type { WorkflowDetail } from "@/api/types";
import { type Diff, type Newer, restoreVersion } from "@/api/versions";
import { saveWorkflow } from "@/api/workflows";
import type { WorkflowDocument } from "@/canvas/document";
import type { DesignerStore } from "@/canvas/store";
import { plainer, summaryOf } from "./faults";
import { drawable } from "./useSession";

/** Someone saved a newer version than the one that was edited here. */
export interface Conflict {
  theirs: Newer;
  /** What they changed since the version that was edited; null when that cannot be told. */
  diff: Diff | null;
  mine: number;
}

export interface Saving {
  /** True when the document is saved now: nothing was to be done, or it worked. */
  save: () => Promise<boolean>;
  /** Saves another document in the place of the open one, which Undo brings back. */
  saveAs: (document: WorkflowDocument) => Promise<boolean>;
  /** Makes a new version of an old one, and puts it on the canvas. */
  restore: (version: number) => Promise<boolean>;
  busy: boolean;
  conflict: Conflict | null;
  /** Loads theirs; one can undo back to one's own. */
  takeTheirs: () => void;
  /** Makes a new version over theirs, which stays in the list of versions. */
  saveOver: () => Promise<boolean>;
  later: () => void;
}

function conflictIn(error: ApiProblem, mine: number): Conflict | null {
  const { current, diff } = error.members;
  return current ? { theirs: current as Newer, diff: (diff as Diff | null) ?? null, mine } : null;
}

/** Saves the document as a new version; a newer one of somebody else is never overwritten unasked. */
export function useSave(store: DesignerStore, name: string): Saving {
  const client = useQueryClient();
  const [busy, setBusy] = useState(false);
  const running = useRef<Promise<boolean> | null>(null);
  const [conflict, setConflict] = useState<Conflict | null>(null);

  const refused = useCallback(
    (error: unknown, title: string) => {
      if (error instanceof ApiProblem && error.status === 412) {
        const found = conflictIn(error, store.getState().base.version);
        if (found) return setConflict(found);
      }
      const found = error instanceof ApiProblem ? error.errors : [];
      const faults = plainer(store.getState().document, found);
      if (faults.length > 0) store.getState().setProblems(faults);
      const message = error instanceof Error ? error.message : String(error);
      notifications.show({ color: "red", title, message: summaryOf(faults) || message });
    },
    [store],
  );

  /** One request at a time: a second press waits for the first. */
  const once = useCallback(
    (
      title: string,
      send: () => Promise<WorkflowDetail>,
      sent: (saved: WorkflowDetail) => WorkflowDocument,
    ) => {
      if (running.current) return running.current;
      setBusy(true);
      const work = async () => {
        try {
          const saved = await send();
          // What was typed while the request was under way stays unsaved.
          store.getState().rebase({ document: sent(saved), version: saved.version, etag: saved.etag });
          client.setQueryData(keys.workflow(name), saved);
          void client.invalidateQueries({ queryKey: keys.versions(name), exact: true });
          void client.invalidateQueries({ queryKey: keys.workflows(), refetchType: "none" });
          setConflict(null);
          return true;
        } catch (error) {
          refused(error, title);
          return false;
        } finally {
          running.current = null;
          setBusy(false);
        }
      };
      running.current = work();
      return running.current;
    },
    [client, name, refused, store],
  );

  const put = useCallback(
    (document: WorkflowDocument, etag: string) =>
      once(
        "Not saved",
        () => saveWorkflow(name, document, etag),
        () => document,
      ),
    [name, once],
  );

  const save = useCallback(async () => {
    const { dirty, base, document } = store.getState();
    return dirty ? put(document, base.etag) : true;
  }, [store, put]);

  const saveAs = useCallback(
    async (document: WorkflowDocument) => {
      store.getState().apply(() => document);
      return put(document, store.getState().base.etag);
    },
    [store, put],
  );

  const restore = useCallback(
    (version: number) =>
      once(
        "Not restored",
        () => restoreVersion(name, version, store.getState().base.etag),
        (saved) => {
          const document = drawable(saved, name);
          store.getState().apply(() => document);
          return document;
        },
      ),
    [name, once, store],
  );

  const takeTheirs = useCallback(() => {
    if (!conflict) return;
    const { version, etag } = conflict.theirs;
    const document = drawable(conflict.theirs, name);
    store.getState().apply(() => document);
    store.getState().rebase({ document, version, etag });
    setConflict(null);
  }, [conflict, name, store]);

  const saveOver = useCallback(
    async () => (conflict ? put(store.getState().document, conflict.theirs.etag) : false),
    [conflict, put, store],
  );
  const later = useCallback(() => setConflict(null), []);

  return { save, saveAs, restore, busy, conflict, takeTheirs, saveOver, later };
}
