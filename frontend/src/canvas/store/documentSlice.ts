import type { StateCreator } from "zustand";
import type { WorkflowDocument } from "../document";
import { sameJson } from "../json";
import { renameStep } from "../renaming";
import { changedInside, inside, scopeLeft } from "../scope";
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
  /** Why nothing can be changed, in a sentence; null when the page says so itself. */
  lockedBecause: string | null;
  /**
   * Puts a changed document in place. Changes that carry the same `mergeKey` shortly after each other become
   * one step of undo. `now` in milliseconds.
   */
  apply: (change: (document: WorkflowDocument) => WorkflowDocument, mergeKey?: string, now?: number) => void;
  /** The same for the graph that is open: inside a loop, a change of the loop's steps. */
  applyHere: (change: (graph: WorkflowDocument) => WorkflowDocument, mergeKey?: string) => void;
  /** Renames a step everywhere; what is open and selected follows. */
  rename: (from: string, to: string) => void;
  undo: () => void;
  redo: () => void;
  /** What is on the server now. The document, and what one can undo, stay. */
  rebase: (base: Base) => void;
}

export const documentSlice =
  (base: Base, readOnly: boolean | string): StateCreator<DesignerState, [], [], DocumentSlice> =>
  (set, get) => {
    /** What is still there of what was open and selected. */
    const remaining = (document: WorkflowDocument) => {
      const { scope, selected } = get();
      const left = scopeLeft(document, scope);
      const ids = new Set(inside(document, left).steps.map(({ id }) => id));
      const kept = left.length === scope.length ? selected.filter((id) => ids.has(id)) : [];
      return {
        scope: left.length === scope.length ? scope : left,
        selected: kept.length === selected.length ? selected : kept,
      };
    };
    const show = (document: WorkflowDocument) => ({
      document,
      dirty: !sameJson(document, get().base.document),
      ...remaining(document),
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
      readOnly: readOnly !== false,
      lockedBecause: typeof readOnly === "string" ? readOnly : null,
      apply: (change, mergeKey, now = Date.now()) => {
        const { document, past, merging, readOnly: fixed, base: saved } = get();
        if (fixed) return;
        const next = change(document);
        if (next === document) return;
        const merges = mergeKey !== undefined && merging?.key === mergeKey && now - merging.at < MERGE_MS;
        set({
          document: next,
          dirty: !sameJson(next, saved.document),
          past: merges ? past : [...past, document].slice(-MAX_HISTORY),
          future: [],
          merging: mergeKey === undefined ? null : { key: mergeKey, at: now },
          ...remaining(next),
        });
      },
      applyHere: (change, mergeKey) =>
        get().apply((document) => changedInside(document, get().scope, change), mergeKey),
      rename: (from, to) => {
        const { scope, selected, readOnly: fixed, apply } = get();
        if (fixed) return;
        const named = (id: string) => (id === from ? to : id);
        // Before the document: the old id is in neither afterwards.
        set({ scope: scope.map(named), selected: selected.map(named) });
        const follow = { scope: get().scope, selected: get().selected };
        apply((document) => renameStep(document, from, to));
        set(follow);
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
