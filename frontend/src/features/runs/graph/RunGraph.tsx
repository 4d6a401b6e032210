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
import type { Run, Step } from "@/api/types";
import { NODE } from "@/canvas/graph";
import { lookOf } from "@/components/states";
import { placeOf } from "@/realtime/run/iterations";
import { useRunLive } from "@/realtime/run/useRunFeed";
import { useRunView } from "../useRunView";
import type { RunEdge } from "./edges";
import classes from "./RunGraph.module.css";
import { StepNode, type StepNodeType } from "./StepNode";
import { type RunGraphShape, useRunGraph } from "./useRunGraph";

const nodeTypes: NodeTypes = { step: StepNode };
const NARROW = 600; // pixels under which the whole graph in view is worth more than its small print

/** How the graph fits into a panel of that width. */
const fitFor = (width: number) => ({ padding: 0.1, maxZoom: 1, minZoom: width < NARROW ? 0.25 : 0.4 });
const fit = fitFor(NARROW);

/** The run's graph with live states; choosing a node shows the step beside it. */
export function RunGraph({ id }: { id: string }) {
  const { data } = useRunLive(id);
  if (!data) return null;
  // What is inside a loop is one node here; the inspector shows its iterations.
  const own = data.steps.filter((step) => placeOf(step.id) === null);
  return <Placed run={data.run} steps={own} />;
}

function Placed({ run, steps }: { run: Run; steps: Step[] }) {
  const graph = useRunGraph(run, steps);
  if (!graph) return <Skeleton height="100%" radius={0} />;
  return (
    <ReactFlowProvider>
      <Flow run={run.id} steps={steps} graph={graph} />
    </ReactFlowProvider>
  );
}

function Flow({ run, steps, graph }: { run: string; steps: Step[]; graph: RunGraphShape }) {
  const [view, look] = useRunView();
  const { colorScheme } = useMantineColorScheme();
  const moved = useRef(false);
  const states = new Map(steps.map((step) => [step.id, step.state]));
  // A step inside a loop is chosen with its loop.
  const chosen = view.step?.split(".")[0];
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
      nodes={graph.nodes.map((node) => nodeOf(node, run, states.get(node.id), chosen))}
      edges={graph.edges.map(edgeFor)}
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
    if (!moved.current && width > 0 && height > 0) void fitView(fitFor(width));
  }, [fitView, moved, width, height]);
  return null;
}

function nodeOf(
  { id, step, position }: RunGraphShape["nodes"][number],
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

/** The ways that work has taken stand out, above all those that a branch chose; where it flows now, they move. */
function edgeFor({ id, source, target, way, taken, flows }: RunEdge): Edge {
  return {
    id,
    source,
    target,
    type: way === "undo" ? "default" : "smoothstep",
    className: classes.edge,
    focusable: false,
    selectable: false,
    animated: flows,
    domAttributes: { "data-way": way, "data-taken": taken || undefined } as Edge["domAttributes"],
  };
}
