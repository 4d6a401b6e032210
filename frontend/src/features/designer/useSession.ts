import { useEffect, useState } from "react";
import { useStore } from "zustand";
import { ApiProblem } from "@/api/client";
import type { WorkflowDetail } from "@/api/types";
import { validate } from "@/api/workflows";
import { readDocument, type WorkflowDocument } from "@/canvas/document";
import { createDesignerStore, type DesignerState, type DesignerStore } from "@/canvas/store";
import { dropDrafts, findDraft, keepDraft } from "./drafts";
import { plainer } from "./faults";

const VALIDATE_MS = 300;
const DRAFT_MS = 300;

export interface Restored {
  version: number;
  newest: number;
}

export interface Session {
  store: DesignerStore;
  /** The version that a draft was made on, and the newest one when it was brought back; null without a draft. */
  restored: Restored | null;
}

/** A stored document that the canvas cannot draw is still opened: empty, with its text in the Document tab. */
export function drawable(detail: { document: unknown }, name: string): WorkflowDocument {
  const document = readDocument(detail.document);
  return typeof document === "string" ? { name, steps: [] } : document;
}

/** Whether anything would be lost: changes that are not saved, or text that is no JSON yet. */
export function isUnsaved({ dirty, unreadable }: DesignerState): boolean {
  return dirty || Object.keys(unreadable).length > 0;
}

/** The open document, with the draft that an earlier visit left. `locked`: why this person may only look. */
export function useSession(detail: WorkflowDetail, team: string, locked: string | null): Session {
  const [session] = useState((): Session => {
    const { name, version, etag } = detail;
    const document = drawable(detail, name);
    const draft = locked ? null : findDraft(team, name);
    const store = createDesignerStore({ document, version, etag }, locked ?? false);
    if (!draft) return { store, restored: null };
    // What was edited was that version: when someone has saved since, saving has to tell of it.
    if (draft.version !== version) {
      store.getState().rebase({ document, version: draft.version, etag: draft.etag });
    }
    store.getState().apply(() => draft.document);
    for (const [key, found] of Object.entries(draft.unreadable ?? {})) {
      store.getState().setUnreadable(key, found);
    }
    return {
      store,
      restored: isUnsaved(store.getState()) ? { version: draft.version, newest: version } : null,
    };
  });
  return session;
}

/** Keeps unsaved changes in the browser, and forgets them when they are saved or undone. */
export function useDrafts(store: DesignerStore, team: string): void {
  const document = useStore(store, (state) => state.document);
  const unsaved = useStore(store, isUnsaved);
  const unreadable = useStore(store, (state) => state.unreadable);
  const readOnly = useStore(store, (state) => state.readOnly);
  const base = useStore(store, (state) => state.base);
  useEffect(() => {
    if (readOnly) return;
    if (!unsaved) {
      dropDrafts(team, base.document.name);
      return;
    }
    const keep = () =>
      keepDraft(team, base.document.name, { version: base.version, etag: base.etag, document, unreadable });
    const timer = window.setTimeout(keep, DRAFT_MS);
    window.addEventListener("pagehide", keep);
    return () => {
      window.clearTimeout(timer);
      window.removeEventListener("pagehide", keep);
    };
  }, [document, unsaved, unreadable, readOnly, base, team]);
}

/** Asks the server what is wrong with the document, a moment after each change. */
export function useValidation(store: DesignerStore): void {
  const document = useStore(store, (state) => state.document);
  useEffect(() => {
    const asking = new AbortController();
    store.getState().setChecked("stale");
    const timer = window.setTimeout(() => {
      validate(document, asking.signal)
        .then(({ errors }) => store.getState().setProblems(plainer(document, errors)))
        .catch((error: unknown) => {
          if (asking.signal.aborted) return;
          if (error instanceof ApiProblem && error.errors.length > 0)
            store.getState().setProblems(error.errors);
          else store.getState().setChecked("unreachable");
        });
    }, VALIDATE_MS);
    return () => {
      window.clearTimeout(timer);
      asking.abort();
    };
  }, [document, store]);
}
