import { Button } from "@mantine/core";
import { IconPlus, IconRoute } from "@tabler/icons-react";
import { Panel as FlowPanel, ReactFlowProvider } from "@xyflow/react";
import { type ReactNode, useCallback, useMemo, useState } from "react";
import { Group, Panel, Separator, useDefaultLayout } from "react-resizable-panels";
import type { Fault } from "@/api/types";
import type { ActionContext, Insertion } from "@/canvas/actions";
import { addStep } from "@/canvas/actions/editing";
import { useActionHotkeys } from "@/canvas/actions/hotkeys";
import { Canvas } from "@/canvas/Canvas";
import { findStep } from "@/canvas/document";
import { Palette } from "@/canvas/palette/Palette";
import { useDesigner, useDesignerStore } from "@/canvas/store";
import { useCanvasView } from "@/canvas/useCanvasView";
import { EmptyState } from "@/components/EmptyState";
import { ActionsProvider } from "./actionContext";
import classes from "./Designer.module.css";
import type { Tab } from "./DesignerHeader";
import { DocumentTab } from "./DocumentTab";
import { Inspector } from "./inspector/Inspector";
import { ProblemsPanel } from "./ProblemsPanel";
import { Toolbar } from "./Toolbar";
import { usePageCommands } from "./usePageCommands";

interface Props {
  tab: Tab;
  onTab: (tab: Tab) => void;
  onSave: () => void;
  onRun: () => void;
  header?: ReactNode;
}

/** The open palette: where it stands, and where the step that is chosen goes. */
interface OpenPalette {
  at: { x: number; y: number };
  where: Insertion;
}

export function Workbench(props: Props) {
  return (
    <ReactFlowProvider>
      <Bench {...props} />
    </ReactFlowProvider>
  );
}

function Bench({ tab, onTab, onSave, onRun, header }: Props) {
  const store = useDesignerStore();
  const view = useCanvasView();
  const readOnly = useDesigner((state) => state.readOnly);
  const [palette, setPalette] = useState<OpenPalette | null>(null);
  const onInsert = useCallback(
    (where: Insertion, at: { x: number; y: number }) => setPalette({ where, at }),
    [],
  );
  const closePalette = useCallback(() => setPalette(null), []);
  const context = useMemo(
    (): ActionContext => ({
      store,
      canvas: () => (tab === "canvas" ? view : null),
      openPalette: () => setPalette({ where: {}, at: belowAddStep() }),
      save: onSave,
      run: onRun,
    }),
    [store, view, tab, onSave, onRun],
  );
  useActionHotkeys(context);
  usePageCommands(context);

  const openInspector = useCallback(
    (id: string) => {
      const { document, wantField } = store.getState();
      wantField(`steps[${document.steps.findIndex((step) => step.id === id)}].id`);
    },
    [store],
  );
  const goTo = (fault: Fault) => {
    const { document, select, wantField } = store.getState();
    if (fault.path === "document") return onTab("document");
    if (tab === "document") onTab("canvas");
    select(findStep(document, fault.step) ? [fault.step ?? ""] : []);
    wantField(fault.path);
  };

  return (
    <ActionsProvider value={context}>
      {header}
      <div className={classes.panels}>
        <Panels
          stage={
            <div className={classes.stage}>
              <div className={classes.view}>
                {tab === "document" ? (
                  <DocumentTab />
                ) : (
                  <Canvas
                    view={view}
                    onInsert={onInsert}
                    onDropType={(type, at) => {
                      setPalette(null);
                      addStep(context, type, { at });
                    }}
                    onOpenInspector={openInspector}
                  >
                    <CanvasExtras onAdd={(at) => onInsert({}, at)} />
                  </Canvas>
                )}
              </div>
              {!readOnly && <ProblemsPanel onGo={goTo} />}
            </div>
          }
        />
      </div>
      {palette && (
        <Palette
          at={palette.at}
          onClose={closePalette}
          onPick={(type) => {
            setPalette(null);
            addStep(context, type, palette.where);
          }}
        />
      )}
    </ActionsProvider>
  );
}

function CanvasExtras({ onAdd }: { onAdd: (at: { x: number; y: number }) => void }) {
  const readOnly = useDesigner((state) => state.readOnly);
  const empty = useDesigner((state) => state.document.steps.length === 0);
  if (readOnly) return null;
  return (
    <>
      <FlowPanel position="top-left">
        <Toolbar onAdd={onAdd} />
      </FlowPanel>
      {empty && (
        <div className={classes.empty}>
          <EmptyState
            icon={IconRoute}
            title="Draw the first step"
            action={
              <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={() => onAdd(belowAddStep())}>
                Add step
              </Button>
            }
          >
            Steps run on warm agents. A new one runs as it is; connect it to others by dragging from its right
            port.
          </EmptyState>
        </div>
      )}
    </>
  );
}

/** Canvas and inspector side by side; the widths are remembered. */
function Panels({ stage }: { stage: ReactNode }) {
  const layout = useDefaultLayout({ id: "af-designer", storage: localStorage });
  return (
    <Group orientation="horizontal" {...layout}>
      <Panel id="stage" minSize={360}>
        {stage}
      </Panel>
      <Separator className={classes.separator} />
      <Panel
        id="inspector"
        defaultSize={376}
        minSize={320}
        maxSize={720}
        groupResizeBehavior="preserve-pixel-size"
      >
        <Inspector />
      </Panel>
    </Group>
  );
}

/** Where the palette stands when a key or Ctrl-K opens it. */
function belowAddStep(): { x: number; y: number } {
  const button = document.querySelector("[data-af-add]")?.getBoundingClientRect();
  return button ? { x: button.left, y: button.bottom + 8 } : { x: window.innerWidth / 3, y: 160 };
}
