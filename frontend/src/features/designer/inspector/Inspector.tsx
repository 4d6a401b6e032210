import { Text } from "@mantine/core";
import { useEffect, useRef } from "react";
import { findStep } from "@/canvas/document";
import { openLoop, useDesigner } from "@/canvas/store";
import { plural } from "@/format";
import classes from "./Inspector.module.css";
import { StepInspector } from "./StepInspector";
import { WorkflowInspector } from "./WorkflowInspector";

/** The panel on the right: the selected step's fields, or the workflow's when none is selected. */
export function Inspector() {
  const selected = useDesigner((state) => state.selected);
  const step = useDesigner((state) => findStep(state.document, state.selected[0]));
  const loop = useDesigner(openLoop);
  const readOnly = useDesigner((state) => state.readOnly);
  const panel = useWantedField();
  return (
    <aside ref={panel} className={classes.inspector} aria-label="Inspector">
      <fieldset disabled={readOnly} className={classes.fields}>
        {selected.length > 1 ? (
          <Text c="dimmed" p={16}>
            {plural(selected.length, "step")} selected. Move, duplicate or delete them together; choose one to
            see its fields.
          </Text>
        ) : step ? (
          <StepInspector key={step.id} step={step} />
        ) : loop ? (
          <StepInspector key={loop.id} step={loop} around />
        ) : (
          <WorkflowInspector />
        )}
      </fieldset>
    </aside>
  );
}

/** Brings the field that someone asked for into view, and the keyboard to it. */
function useWantedField() {
  const panel = useRef<HTMLElement>(null);
  const wanted = useDesigner((state) => state.wantedField);
  const wantField = useDesigner((state) => state.wantField);
  useEffect(() => {
    if (wanted === null) return;
    // Editors load when they are first seen, so the field may be there a moment later.
    const timer = window.setTimeout(() => {
      const field = panel.current && nearestField(panel.current, wanted);
      field?.scrollIntoView({ block: "center" });
      focusable(field)?.focus({ preventScroll: true });
      wantField(null);
    }, 60);
    return () => window.clearTimeout(timer);
  }, [wanted, wantField]);
  return panel;
}

/** The field at a path, or at the nearest part of the document that holds it and has a field. */
function nearestField(panel: HTMLElement, path: string): HTMLElement | null {
  const fields = [...panel.querySelectorAll<HTMLElement>("[data-path]")];
  const holding = fields
    .filter(({ dataset }) => dataset.path && (path === dataset.path || isInside(path, dataset.path)))
    .sort((a, b) => (b.dataset.path?.length ?? 0) - (a.dataset.path?.length ?? 0));
  return holding[0] ?? fields.find(({ dataset }) => isInside(dataset.path ?? "", path)) ?? null;
}

function isInside(path: string, holder: string): boolean {
  return path.startsWith(`${holder}.`) || path.startsWith(`${holder}[`);
}

function focusable(field: HTMLElement | null): HTMLElement | null {
  const selector = 'input:not([type="hidden"]), textarea, [contenteditable="true"], button';
  return field?.matches(selector) ? field : (field?.querySelector<HTMLElement>(selector) ?? null);
}
