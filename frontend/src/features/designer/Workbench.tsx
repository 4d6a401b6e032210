import { Button } from "@mantine/core";
import { IconPlus, IconRoute } from "@tabler/icons-react";
import { Panel as FlowPanel, ReactFlowProvider } from "@xyflow/react";
import { type ReactNode, useCallback, useMemo, useState } from "react";
import type { Fault } from "@/api/types";
import type { ActionContext, Insertion } from "@/canvas/actions";
import { addStep } from "@/canvas/actions/editing";
import { useActionHotkeys } from "@/canvas/actions/hotkeys";
import { Canvas } from "@/canvas/Canvas";
import { pathOf } from "@/canvas/document";
import { Palette } from "@/canvas/palette/Palette";
import { openGraph, useDesigner, useDesignerStore } from "@/canvas/store";
import { useCanvasView } from "@/canvas/useCanvasView";
import { EmptyState } from "@/components/EmptyState";
import { ActionsProvider } from "./actionContext";
import classes from "./Designer.module.css";
import type { Tab } from "./DesignerHeader";
import { DocumentTab } from "./DocumentTab";
import { Panels } from "./Panels";
import { ProblemsPanel } from "./ProblemsPanel";
import { ScopePath } from "./ScopePath";
import { Toolbar } from "./Toolbar";
import { TryDrawer } from "./trial/TryDrawer";
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
  const [tried, setTried] = useState<string | null>(null);
  const [sheet, setSheet] = useState(false);
  const scope = useDesigner((state) => state.scope);
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
      tryStep: setTried,
    }),
    [store, view, tab, onSave, onRun],
  );
  useActionHotkeys(context);
  usePageCommands(context);

  const openInspector = useCallback(
    (id: string) => {
      const { document, wantField } = store.getState();
      setSheet(true);
      wantField(`${pathOf(document, id) ?? "steps"}.id`);
    },
    [store],
  );
  const goTo = (fault: Fault) => {
    const { enter, reveal, select, wantField } = store.getState();
    if (fault.path === "document") return onTab("document");
    if (tab === "document") onTab("canvas");
    if (!fault.step || !reveal(fault.step)) {
      enter([]);
      select([]);
    }
    setSheet(true);
    wantField(fault.path);
  };

  return (
    <ActionsProvider value={context}>
      {header}
      <div className={classes.panels}>
        <Panels
          sheet={sheet}
          onSheet={setSheet}
          stage={
            <div className={classes.stage}>
              <div className={classes.view}>
                {tab === "document" ? (
                  <DocumentTab />
                ) : (
                  <Canvas
                    key={scope.join("/")}
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
      <TryDrawer step={tried} onClose={() => setTried(null)} />
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
  const locked = useDesigner((state) => state.lockedBecause);
  const inLoop = useDesigner((state) => state.scope.length > 0);
  const empty = useDesigner((state) => openGraph(state).steps.length === 0);
  return (
    <>
      <FlowPanel position="top-left" className={classes.above}>
        {(!readOnly || locked) && <Toolbar onAdd={onAdd} />}
        <ScopePath />
      </FlowPanel>
      {empty && !readOnly && (
        <div className={classes.empty}>
          <EmptyState
            icon={IconRoute}
            title={inLoop ? "Draw what each round does" : "Draw the first step"}
            action={
              <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={() => onAdd(belowAddStep())}>
                Add step
              </Button>
            }
          >
            {inLoop
              ? "These steps run again and again, until the loop's condition holds."
              : "Steps run on warm agents. A new one runs as it is; connect it to others by dragging from its right port."}
          </EmptyState>
        </div>
      )}
    </>
  );
}

/** Where the palette stands when a key or Ctrl-K opens it. */
function belowAddStep(): { x: number; y: number } {
  const button = document.querySelector("[data-af-add]")?.getBoundingClientRect();
  return button ? { x: button.left, y: button.bottom + 8 } : { x: window.innerWidth / 3, y: 160 };
}
