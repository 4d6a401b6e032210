import { beforeEach, expect, it } from "vitest";
import { dropDrafts, findDraft, keepDraft } from "./drafts";

const document = { name: "x", steps: [] };

beforeEach(() => localStorage.clear());

it("gives back what was kept for this team and workflow, and nothing else", () => {
  keepDraft("lab", "x", { version: 3, etag: '"3"', document });
  expect(findDraft("lab", "x")).toEqual({ version: 3, etag: '"3"', document });
  expect(findDraft("other", "x")).toBeNull();
  expect(findDraft("lab", "xy")).toBeNull();
});

it("takes the draft of the newest version, and passes over what cannot be read", () => {
  keepDraft("lab", "x", { version: 9, etag: '"9"', document });
  keepDraft("lab", "x", { version: 10, etag: '"10"', document });
  localStorage.setItem("af-draft:lab:x:11", "{");
  expect(findDraft("lab", "x")?.version).toBe(10);
});

it("forgets the drafts of one workflow", () => {
  keepDraft("lab", "x", { version: 1, etag: '"1"', document });
  keepDraft("lab", "y", { version: 1, etag: '"1"', document: { ...document, name: "y" } });
  dropDrafts("lab", "x");
  expect(findDraft("lab", "x")).toBeNull();
  expect(findDraft("lab", "y")).not.toBeNull();
});

it("keeps text that cannot be read yet", () => {
  const fault = { path: "document", message: "not JSON yet", step: null };
  const unreadable = { ":document": { text: "{", fault } };
  keepDraft("lab", "x", { version: 1, etag: '"1"', document, unreadable });
  expect(findDraft("lab", "x")?.unreadable).toEqual(unreadable);
});
