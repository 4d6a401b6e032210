import { Skeleton, useMantineColorScheme } from "@mantine/core";
import {
  Background,
  BackgroundVariant,
  Controls,
  type Edge,
  type NodeChange,
  type NodeTypes,
  ReactFlow,
  ReactFlowProvider,
  useReactFlow,
  useStore,
} from "@xyflow/react";
import { type RefObject, useCallback, useEffect, useRef } from "react";
import "@xyflow/react/dist/style.css";
import type { Step } from "@/api/types";
import { type Graph, NODE } from "@/canvas/graph";
import { lookOf } from "@/components/states";
import { useRunLive } from "@/realtime/run/useRunFeed";
import { useRunView } from "../useRunView";
import classes from "./RunGraph.module.css";
import { StepNode, type StepNodeType } from "./StepNode";
import { useRunGraph } from "./useRunGraph";

const nodeTypes: NodeTypes = { step: StepNode };
const fit = { padding: 0.1, maxZoom: 1, minZoom: 0.6 };

/** The run's graph with live states; choosing a node shows the step beside it. */
export function RunGraph({ id }: { id: string }) {
  const { data } = useRunLive(id);
  if (!data) return null;
  return <Placed id={id} workflow={data.run.workflow} version={data.run.version} steps={data.steps} />;
}

interface PlacedProps {
  id: string;
  workflow: string;
  version: number;
  steps: Step[];
}

function Placed({ id, workflow, version, steps }: PlacedProps) {
  const graph = useRunGraph(workflow, version, steps);
  if (!graph) return <Skeleton height="100%" radius={0} />;
  return (
    <ReactFlowProvider>
      <Flow run={id} steps={steps} graph={graph} />
    </ReactFlowProvider>
  );
}

function Flow({ run, steps, graph }: { run: string; steps: Step[]; graph: Graph }) {
  const [view, look] = useRunView();
  const { colorScheme } = useMantineColorScheme();
  const moved = useRef(false);
  const states = new Map(steps.map((step) => [step.id, step.state]));
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
      nodes={graph.nodes.map((node) => nodeOf(node, run, states.get(node.id), view.step))}
      edges={graph.edges.map((edge) => edgeFor(edge, states))}
      nodeTypes={nodeTypes}
      onNodesChange={onNodesChange}
      onPaneClick={() => look({ step: undefined, item: undefined })}
      onMove={(event) => {
        // Null when the page itself moves the view.
        if (event) moved.current = true;
      }}
      colorMode={colorScheme === "auto" ? "system" : colorScheme}
      fitView
      fitViewOptions={fit}
      minZoom={0.2}
      maxZoom={1.5}
      nodesDraggable={false}
      nodesConnectable={false}
      edgesFocusable={false}
    >
      <Background variant={BackgroundVariant.Dots} gap={16} size={1} color="var(--af-grid)" />
      <Controls showInteractive={false} fitViewOptions={fit} />
      <KeepFitted moved={moved} />
    </ReactFlow>
  );
}

/** Fits the graph to its panel whenever that changes its size, until a person has moved the view. */
function KeepFitted({ moved }: { moved: RefObject<boolean> }) {
  const { fitView } = useReactFlow();
  const width = useStore((state) => state.width);
  const height = useStore((state) => state.height);
  useEffect(() => {
    if (!moved.current && width > 0 && height > 0) void fitView(fit);
  }, [fitView, moved, width, height]);
  return null;
}

function nodeOf(
  { id, step, position }: Graph["nodes"][number],
  run: string,
  state: string | undefined,
  chosen: string | undefined,
): StepNodeType {
  return {
    id,
    type: "step",
    position,
    data: { run },
    ...NODE,
    selected: chosen === id,
    ariaLabel: `${id}, ${step.type}, ${lookOf(state ?? "pending").word}`,
    draggable: false,
    connectable: false,
    deletable: false,
  };
}

/** The ways that work has taken stand out; where it flows now, they move. */
function edgeFor({ id, source, target }: Graph["edges"][number], states: Map<string, string>): Edge {
  const taken = states.get(source) === "completed";
  return {
    id,
    source,
    target,
    type: "smoothstep",
    focusable: false,
    selectable: false,
    animated: taken && states.get(target) === "running",
    style: taken ? { stroke: "var(--af-faint)", strokeWidth: 1.5 } : undefined,
  };
}
