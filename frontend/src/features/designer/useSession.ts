import { useEffect, useState } from "react";
import { useStore } from "zustand";
import { ApiProblem } from "@/api/client";
import type { WorkflowDetail } from "@/api/types";
import { validate } from "@/api/workflows";
import { readDocument, type WorkflowDocument } from "@/canvas/document";
import { createDesignerStore, type DesignerStore } from "@/canvas/store";
import { dropDrafts, findDraft, keepDraft } from "./drafts";

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

/** The open document, with the draft that an earlier visit left. */
export function useSession(detail: WorkflowDetail, team: string): Session {
  const [session] = useState((): Session => {
    const { name, version, etag } = detail;
    const document = drawable(detail, name);
    const draft = findDraft(team, name);
    const store = createDesignerStore({ document, version, etag });
    if (!draft) return { store, restored: null };
    // What was edited was that version: when someone has saved since, saving has to tell of it.
    if (draft.version !== version) {
      store.getState().rebase({ document, version: draft.version, etag: draft.etag });
    }
    store.getState().apply(() => draft.document);
    return { store, restored: store.getState().dirty ? { version: draft.version, newest: version } : null };
  });
  return session;
}

/** Keeps unsaved changes in the browser, and forgets them when they are saved or undone. */
export function useDrafts(store: DesignerStore, team: string): void {
  const document = useStore(store, (state) => state.document);
  const dirty = useStore(store, (state) => state.dirty);
  const base = useStore(store, (state) => state.base);
  useEffect(() => {
    if (!dirty) {
      dropDrafts(team, base.document.name);
      return;
    }
    const keep = () =>
      keepDraft(team, base.document.name, { version: base.version, etag: base.etag, document });
    const timer = window.setTimeout(keep, DRAFT_MS);
    window.addEventListener("pagehide", keep);
    return () => {
      window.clearTimeout(timer);
      window.removeEventListener("pagehide", keep);
    };
  }, [document, dirty, base, team]);
}

/** Asks the server what is wrong with the document, a moment after each change. */
export function useValidation(store: DesignerStore): void {
  const document = useStore(store, (state) => state.document);
  useEffect(() => {
    const asking = new AbortController();
    store.getState().setChecked("stale");
    const timer = window.setTimeout(() => {
      validate(document, asking.signal)
        .then(({ errors }) => store.getState().setProblems(errors))
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
