/** Which step the arrow keys lead to. Pure. */
import type { GraphNode } from "./graph";

export type Direction = "left" | "right" | "up" | "down";

export const DIRECTIONS: Record<string, Direction> = {
  ArrowLeft: "left",
  ArrowRight: "right",
  ArrowUp: "up",
  ArrowDown: "down",
};

/** How far along the direction, and how far beside it, the other node is. */
function offset(from: GraphNode, to: GraphNode, direction: Direction): { ahead: number; beside: number } {
  const dx = to.position.x - from.position.x;
  const dy = to.position.y - from.position.y;
  const sign = direction === "left" || direction === "up" ? -1 : 1;
  const sideways = direction === "left" || direction === "right";
  return sideways ? { ahead: sign * dx, beside: Math.abs(dy) } : { ahead: sign * dy, beside: Math.abs(dx) };
}

/** The nearest step in that direction; what lies straight ahead is preferred to what lies aside. */
export function neighbour(nodes: GraphNode[], id: string, direction: Direction): string | null {
  const from = nodes.find((node) => node.id === id);
  if (!from) return nodes[0]?.id ?? null;
  const ranked = nodes
    .filter((node) => node.id !== id)
    .map((node) => ({ id: node.id, ...offset(from, node, direction) }))
    .filter(({ ahead, beside }) => ahead > 0 && beside <= ahead * 3)
    .sort((a, b) => a.ahead + 2 * a.beside - (b.ahead + 2 * b.beside));
  return ranked[0]?.id ?? null;
}
