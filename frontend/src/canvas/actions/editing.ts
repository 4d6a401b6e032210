import { IconArrowBackUp, IconArrowForwardUp, IconCopy, IconPlus, IconTrash } from "@tabler/icons-react";
import { connect, findStep, freshId, addStep as put, type WorkflowDocument } from "../document";
import { applyGraphChange, documentToGraph, settled } from "../graph";
import { kindOf } from "../nodes";
import { insertBetween, seatFor, seatNear } from "../placement";
import type { Action, ActionContext, Insertion } from "./index";

/** Adds a step of a type, selects it, and brings it into view. */
export function addStep(context: ActionContext, type: string, where: Insertion = {}): string {
  const { apply, document, select, selected } = context.store.getState();
  const canvas = context.canvas();
  const step = kindOf(type).defaults(freshId(document, type));
  const seat = where.at
    ? seatNear(document, where.at)
    : seatFor(document, canvas?.viewport() ?? null, where.after ?? selected[0] ?? null);
  apply((current) => {
    const stays = settled(current);
    if (where.edge) return insertBetween(stays, step, where.edge.source, where.edge.target);
    const added = put(stays, step, seat);
    return where.after ? connect(added, where.after, step.id) : added;
  });
  select([step.id]);
  const node = documentToGraph(context.store.getState().document).nodes.find(({ id }) => id === step.id);
  if (node) canvas?.reveal(node.position);
  canvas?.focus(step.id);
  return step.id;
}

/** Copies of the selected steps, connected among themselves as the originals are. */
function duplicated(
  document: WorkflowDocument,
  ids: string[],
): { document: WorkflowDocument; ids: string[] } {
  const places = new Map(documentToGraph(document).nodes.map(({ id, position }) => [id, position]));
  const copies = new Map<string, string>();
  let next = document;
  for (const id of ids) {
    const step = findStep(document, id);
    if (!step) continue;
    const copy = { ...step, id: freshId(next, step.id) };
    const { x, y } = places.get(id) ?? { x: 0, y: 0 };
    copies.set(id, copy.id);
    next = put(next, copy, seatNear(next, { x: x + 32, y: y + 32 }));
  }
  const made = new Set(copies.values());
  const steps = next.steps.map((step) =>
    made.has(step.id) && step.needs
      ? { ...step, needs: step.needs.map((need) => copies.get(need) ?? need) }
      : step,
  );
  return { document: { ...next, steps }, ids: [...made] };
}

export const editing: Action[] = [
  {
    id: "add-step",
    label: "Add step",
    icon: IconPlus,
    hotkey: "N",
    enabled: ({ readOnly }) => !readOnly,
    run: ({ openPalette }) => openPalette(),
  },
  {
    id: "delete",
    label: "Delete",
    icon: IconTrash,
    hotkey: "Delete",
    enabled: ({ readOnly, selected, selectedEdges }) =>
      !readOnly && selected.length + selectedEdges.length > 0,
    run: ({ store }) => {
      const { apply, selected, selectedEdges, select } = store.getState();
      apply((document) =>
        applyGraphChange(document, { kind: "remove", steps: selected, edges: selectedEdges }),
      );
      select([]);
    },
  },
  {
    id: "duplicate",
    label: "Duplicate",
    icon: IconCopy,
    hotkey: "mod+D",
    enabled: ({ readOnly, selected }) => !readOnly && selected.length > 0,
    run: ({ store }) => {
      const { document, selected, apply, select } = store.getState();
      const copy = duplicated(document, selected);
      apply(() => copy.document);
      select(copy.ids);
    },
  },
  {
    id: "undo",
    label: "Undo",
    icon: IconArrowBackUp,
    hotkey: "mod+Z",
    enabled: ({ past, readOnly }) => !readOnly && past.length > 0,
    run: ({ store }) => store.getState().undo(),
  },
  {
    id: "redo",
    label: "Redo",
    icon: IconArrowForwardUp,
    hotkey: "mod+shift+Z",
    enabled: ({ future, readOnly }) => !readOnly && future.length > 0,
    run: ({ store }) => store.getState().redo(),
  },
];
