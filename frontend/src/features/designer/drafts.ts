/**
 * Unsaved changes in the browser's own storage, so that a reload or a crash costs nothing.
 * A draft belongs to a team, a workflow, and the version that it was made from.
 */
import { readDocument, type WorkflowDocument } from "@/canvas/document";
import { isObject } from "@/canvas/json";
import type { Unreadable } from "@/canvas/store/problemsSlice";

export interface Draft {
  version: number;
  etag: string;
  document: WorkflowDocument;
  /** What was typed and cannot be read yet, by field. */
  unreadable?: Record<string, Unreadable>;
}

const prefix = (team: string, name: string) => `af-draft:${team}:${name}:`;

export function keepDraft(team: string, name: string, draft: Draft): void {
  try {
    localStorage.setItem(prefix(team, name) + draft.version, JSON.stringify(draft));
  } catch {
    // Storage is full or forbidden: the warning before leaving still stands.
  }
}

export function dropDrafts(team: string, name: string): void {
  for (const key of keysOf(prefix(team, name))) localStorage.removeItem(key);
}

/** The draft of the newest version there is one for; null when there is none that can be read. */
export function findDraft(team: string, name: string): Draft | null {
  const start = prefix(team, name);
  const versions = keysOf(start)
    .map((key) => Number(key.slice(start.length)))
    .filter(Number.isInteger)
    .sort((a, b) => b - a);
  for (const version of versions) {
    const draft = read(localStorage.getItem(start + version));
    if (draft) return draft;
  }
  return null;
}

function keysOf(start: string): string[] {
  return Object.keys(localStorage).filter((key) => key.startsWith(start));
}

function read(text: string | null): Draft | null {
  if (text === null) return null;
  try {
    const { version, etag, document, unreadable } = JSON.parse(text) as Draft;
    const readable = readDocument(document);
    if (typeof readable === "string") return null;
    return { version, etag, document: readable, ...(isObject(unreadable) ? { unreadable } : {}) };
  } catch {
    return null;
  }
}
