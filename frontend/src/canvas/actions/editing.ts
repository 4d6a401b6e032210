import {
  IconArrowBackUp,
  IconArrowForwardUp,
  IconClipboard,
  IconClipboardPlus,
  IconCopy,
  IconPlus,
  IconTrash,
} from "@tabler/icons-react";
import { type Copied, copied, pasted } from "../copying";
import { freshId, addStep as put } from "../document";
import { applyGraphChange, documentToGraph, settled } from "../graph";
import { kindOf } from "../nodes";
import { insertBetween, seatFor, seatNear } from "../placement";
import { openGraph } from "../store";
import type { Action, ActionContext, Insertion } from "./index";

/** Adds a step of a type to the open graph, selects it, and brings it into view. */
export function addStep(context: ActionContext, type: string, where: Insertion = {}): string {
  const state = context.store.getState();
  const { applyHere, document, select, selected } = state;
  const canvas = context.canvas();
  const graph = openGraph(state);
  const id = freshId(document, type);
  const step = kindOf(type).defaults(id, (base) => freshId(document, base, [id]));
  const after = where.after ?? where.edge?.source;
  const seat = where.at
    ? seatNear(graph, where.at)
    : seatFor(graph, canvas?.viewport() ?? null, after ?? selected[0] ?? null);
  applyHere((current) => {
    const stays = settled(current);
    if (where.edge) return insertBetween(stays, step, where.edge.source, where.edge.target);
    const added = put(stays, step, seat);
    return where.after
      ? applyGraphChange(added, { kind: "connect", source: where.after, target: step.id })
      : added;
  });
  select([step.id]);
  const node = documentToGraph(openGraph(context.store.getState())).nodes.find((one) => one.id === step.id);
  if (node) canvas?.reveal(node.position);
  canvas?.focus(step.id);
  return step.id;
}

/** What was copied last: it can be pasted into another loop, or another workflow, while the page is open. */
let clipboard: Copied | null = null;

/** The page's own text is copied as ever when some of it is selected. */
const textIsSelected = () => (window.getSelection()?.toString() ?? "") !== "";

function paste({ store, canvas }: ActionContext, steps: Copied): void {
  const { document, scope, apply, select } = store.getState();
  const copy = pasted(document, scope, steps);
  apply(() => copy.document);
  select(copy.ids);
  const first = copy.document.layout?.[copy.ids[0] ?? ""];
  if (first) canvas()?.reveal(first);
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
      const { applyHere, selected, selectedEdges, select } = store.getState();
      applyHere((graph) =>
        applyGraphChange(graph, { kind: "remove", steps: selected, edges: selectedEdges }),
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
    run: (context) => {
      const { document, scope, selected } = context.store.getState();
      paste(context, copied(document, scope, selected));
    },
  },
  {
    id: "copy",
    label: "Copy",
    icon: IconClipboard,
    hotkey: "mod+C",
    enabled: ({ selected }) => selected.length > 0 && !textIsSelected(),
    run: ({ store }) => {
      const { document, scope, selected } = store.getState();
      clipboard = copied(document, scope, selected);
    },
  },
  {
    id: "paste",
    label: "Paste",
    icon: IconClipboardPlus,
    hotkey: "mod+V",
    enabled: ({ readOnly }) => !readOnly && clipboard !== null,
    run: (context) => {
      if (clipboard) paste(context, clipboard);
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
