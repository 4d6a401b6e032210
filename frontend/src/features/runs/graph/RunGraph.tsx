import { useMantineColorScheme } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import {
  Background,
  BackgroundVariant,
  Controls,
  type Edge,
  type EdgeTypes,
  type NodeChange,
  type NodeTypes,
  ReactFlow,
  ReactFlowProvider,
} from "@xyflow/react";
import { useCallback, useMemo } from "react";
import "@xyflow/react/dist/style.css";
import type { Step } from "@/api/types";
import { versionDetail } from "@/api/workflows";
import { lookOf } from "@/components/states";
import { useRunLive } from "@/realtime/run/useRunFeed";
import { useRunView } from "../useRunView";
import { NODE, type Place, placesOf } from "./layers";
import classes from "./RunGraph.module.css";
import { StepNode, type StepNodeType } from "./StepNode";

const nodeTypes: NodeTypes = { step: StepNode };
const edgeTypes: EdgeTypes = {};
const fit = { padding: 0.16, maxZoom: 1 };

/** The run's graph with live states; choosing a node shows the step beside it. */
export function RunGraph({ id }: { id: string }) {
  const { data } = useRunLive(id);
  const { data: version } = useQuery({
    ...versionDetail(data?.run.workflow ?? "", data?.run.version ?? 0),
    enabled: Boolean(data),
    // A workflow that was deleted since: the steps know enough to be drawn.
    retry: false,
  });
  const steps = data?.steps ?? [];
  const layout = layoutIn(version?.document);
  return (
    <ReactFlowProvider>
      <Canvas key={layout ? "placed" : "columns"} run={id} steps={steps} layout={layout} />
    </ReactFlowProvider>
  );
}

interface CanvasProps {
  run: string;
  steps: Step[];
  layout: Record<string, Place> | undefined;
}

function Canvas({ run, steps, layout }: CanvasProps) {
  const [view, look] = useRunView();
  const { colorScheme } = useMantineColorScheme();
  const places = useMemo(() => placesOf(steps, layout), [steps, layout]);
  const nodes = steps.map((step): StepNodeType => {
    const { word } = lookOf(step.state);
    return {
      id: step.id,
      type: "step",
      position: places.get(step.id) ?? { x: 0, y: 0 },
      data: { run },
      ...NODE,
      selected: view.step === step.id,
      ariaLabel: `${step.id}, ${step.type}, ${word}`,
      draggable: false,
      connectable: false,
      deletable: false,
    };
  });
  const edges = useMemo(() => edgesOf(steps), [steps]);
  const onNodesChange = useCallback(
    (changes: NodeChange<StepNodeType>[]) => {
      const chosen = changes.find((change) => change.type === "select" && change.selected);
      if (chosen?.type === "select") look({ step: chosen.id, item: undefined });
    },
    [look],
  );
  return (
    <ReactFlow
      className={classes.flow}
      nodes={nodes}
      edges={edges}
      nodeTypes={nodeTypes}
      edgeTypes={edgeTypes}
      onNodesChange={onNodesChange}
      onPaneClick={() => look({ step: undefined, item: undefined })}
      colorMode={colorScheme === "auto" ? "system" : colorScheme}
      fitView
      fitViewOptions={fit}
      minZoom={0.2}
      maxZoom={1.5}
      nodesDraggable={false}
      nodesConnectable={false}
      edgesFocusable={false}
      proOptions={{ hideAttribution: true }}
    >
      <Background variant={BackgroundVariant.Dots} gap={16} size={1} color="var(--af-grid)" />
      <Controls showInteractive={false} fitViewOptions={fit} />
    </ReactFlow>
  );
}

function edgesOf(steps: Step[]): Edge[] {
  const states = new Map(steps.map((step) => [step.id, step.state]));
  return steps.flatMap((step) =>
    step.needs.map((need) => ({
      id: `${need}>${step.id}`,
      source: need,
      target: step.id,
      type: "smoothstep",
      focusable: false,
      selectable: false,
      className: classes.edge,
      // The way that work takes now, and the ways it has taken.
      animated: states.get(need) === "completed" && step.state === "running",
      data: { taken: states.get(need) === "completed" },
      style:
        states.get(need) === "completed" ? { stroke: "var(--af-border-strong)", strokeWidth: 2 } : undefined,
    })),
  );
}

function layoutIn(document: unknown): Record<string, Place> | undefined {
  const layout = (document as { layout?: unknown } | undefined)?.layout;
  return layout && typeof layout === "object" ? (layout as Record<string, Place>) : undefined;
}
