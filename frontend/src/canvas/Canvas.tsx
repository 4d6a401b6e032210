/**
 * The canvas: draws the document's graph, and turns what the mouse and the keys do into changes of it.
 * Does not: keep a graph of its own; only places that are being dragged live here until the mouse lets go.
 */
import { useComputedColorScheme } from "@mantine/core";
import { Background, BackgroundVariant, Controls, MiniMap, ReactFlow, useReactFlow } from "@xyflow/react";
import "@xyflow/react/dist/style.css";
import { type ReactNode, useMemo, useState } from "react";
import type { CanvasView } from "./actions";
import classes from "./Canvas.module.css";
import { StepEdge } from "./edges/StepEdge";
import { UndoEdge } from "./edges/UndoEdge";
import { CanvasEventsProvider } from "./events";
import { NODE } from "./graph";
import { kindOf } from "./nodes";
import { StepNode, type StepNodeType } from "./nodes/StepNode";
import { STEP_TYPE } from "./palette/Palette";
import { openGraph, useDesigner, useDesignerStore } from "./store";
import { type Insert, useConnecting } from "./useConnecting";
import { useFlowElements } from "./useFlowElements";
import { useNodeKeys } from "./useNodeKeys";
import { FIT } from "./useCanvasView";
import { WayMenu } from "./WayMenu";

const nodeTypes = { step: StepNode };
const edgeTypes = { step: StepEdge, undo: UndoEdge };

const MINIMAP = { width: 160, height: 104 };

interface Props {
  view: CanvasView;
  /** Someone wants a step there: the page opens the palette. */
  onInsert: Insert;
  /** A step type was dropped at a place. */
  onDropType: (type: string, at: { x: number; y: number }) => void;
  onOpenInspector: (step: string) => void;
  children?: ReactNode;
}

export function Canvas({ view, onInsert, onDropType, onOpenInspector, children }: Props) {
  const scheme = useComputedColorScheme("light");
  const store = useDesignerStore();
  const readOnly = useDesigner((state) => state.readOnly);
  const [fitsAtFirst] = useState(() => openGraph(store.getState()).steps.length > 0);
  const { screenToFlowPosition } = useReactFlow();
  const elements = useFlowElements();
  const { newWay, forgetWay, handlers } = useConnecting(onInsert);
  const onKeyDown = useNodeKeys(view, onOpenInspector);
  const events = useMemo(
    () => ({
      onInsert: (edge: { source: string; target: string }, at: { x: number; y: number }) =>
        onInsert({ edge }, at),
    }),
    [onInsert],
  );
  return (
    <CanvasEventsProvider value={events}>
      <ReactFlow
        className={classes.flow}
        aria-label="Workflow canvas"
        {...elements}
        {...handlers}
        nodeTypes={nodeTypes}
        edgeTypes={edgeTypes}
        onKeyDown={onKeyDown}
        onNodeDoubleClick={(_event, node) => {
          if (node.data.step.type === "loop") store.getState().enter([...store.getState().scope, node.id]);
        }}
        zoomOnDoubleClick={false}
        onPaneClick={() => store.getState().select([])}
        onDragOver={(event) => {
          if (readOnly || !event.dataTransfer.types.includes(STEP_TYPE)) return;
          event.preventDefault();
          event.dataTransfer.dropEffect = "copy";
        }}
        onDrop={(event) => {
          const type = event.dataTransfer.getData(STEP_TYPE);
          if (!type || readOnly) return;
          const { x, y } = screenToFlowPosition({ x: event.clientX, y: event.clientY });
          onDropType(type, { x: x - NODE.width / 2, y: y - NODE.height / 2 });
        }}
        colorMode={scheme}
        fitView={fitsAtFirst}
        fitViewOptions={FIT}
        minZoom={0.15}
        maxZoom={1.75}
        snapToGrid
        snapGrid={[8, 8]}
        panOnScroll
        nodesDraggable={!readOnly}
        nodesConnectable={!readOnly}
        edgesFocusable={false}
        connectionRadius={36}
        disableKeyboardA11y
        deleteKeyCode={null}
        proOptions={{ hideAttribution: true }}
      >
        <Background variant={BackgroundVariant.Dots} gap={16} size={1.2} color="var(--af-grid)" />
        <Controls showInteractive={false} fitViewOptions={FIT} />
        <MiniMap
          pannable
          zoomable
          className={classes.minimap}
          style={MINIMAP}
          nodeBorderRadius={12}
          nodeColor={(node: StepNodeType) => `var(--af-${kindOf(node.data.step.type).hue})`}
          ariaLabel="Overview of the canvas"
        />
        {children}
      </ReactFlow>
      {newWay && <WayMenu way={newWay} onClose={forgetWay} />}
    </CanvasEventsProvider>
  );
}
