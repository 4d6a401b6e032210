import type { StateCreator } from "zustand";
import type { WorkflowDocument } from "../document";
import { sameJson } from "../json";
import type { DesignerState } from "./index";

const MAX_HISTORY = 200;
/** Keystrokes in one field within this time are one step of undo. */
const MERGE_MS = 1500;

/** The version that was loaded or saved last: what "unsaved" is measured against. */
export interface Base {
  document: WorkflowDocument;
  version: number;
  etag: string;
}

interface Merging {
  key: string;
  at: number;
}

export interface DocumentSlice {
  document: WorkflowDocument;
  base: Base;
  dirty: boolean;
  past: WorkflowDocument[];
  future: WorkflowDocument[];
  merging: Merging | null;
  readOnly: boolean;
  /**
   * Puts a changed document in place. Changes that carry the same `mergeKey` shortly after each other become
   * one step of undo. `now` in milliseconds.
   */
  apply: (change: (document: WorkflowDocument) => WorkflowDocument, mergeKey?: string, now?: number) => void;
  undo: () => void;
  redo: () => void;
  /** What is on the server now. The document, and what one can undo, stay. */
  rebase: (base: Base) => void;
}

export const documentSlice =
  (base: Base, readOnly: boolean): StateCreator<DesignerState, [], [], DocumentSlice> =>
  (set, get) => {
    const show = (document: WorkflowDocument) => ({
      document,
      dirty: !sameJson(document, get().base.document),
      selected: get().selected.filter((id) => document.steps.some((step) => step.id === id)),
      selectedEdges: [],
      merging: null,
    });
    return {
      document: base.document,
      base,
      dirty: false,
      past: [],
      future: [],
      merging: null,
      readOnly,
      apply: (change, mergeKey, now = Date.now()) => {
        const { document, past, merging, readOnly: fixed, base: saved, selected } = get();
        if (fixed) return;
        const next = change(document);
        if (next === document) return;
        const merges = mergeKey !== undefined && merging?.key === mergeKey && now - merging.at < MERGE_MS;
        const kept = selected.filter((id) => next.steps.some((step) => step.id === id));
        set({
          document: next,
          dirty: !sameJson(next, saved.document),
          past: merges ? past : [...past, document].slice(-MAX_HISTORY),
          future: [],
          merging: mergeKey === undefined ? null : { key: mergeKey, at: now },
          selected: kept.length === selected.length ? selected : kept,
        });
      },
      undo: () => {
        const { past, future, document } = get();
        const previous = past.at(-1);
        if (previous) set({ ...show(previous), past: past.slice(0, -1), future: [document, ...future] });
      },
      redo: () => {
        const { past, future, document } = get();
        const [next, ...rest] = future;
        if (next) set({ ...show(next), past: [...past, document], future: rest });
      },
      rebase: (saved) => set({ base: saved, dirty: !sameJson(get().document, saved.document) }),
    };
  };
