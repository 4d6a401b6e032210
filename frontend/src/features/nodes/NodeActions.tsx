import { Button, Text } from "@mantine/core";
import { modals } from "@mantine/modals";
import { notifications } from "@mantine/notifications";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { keys } from "@/api/keys";
import { actOnNode, type NodeAction } from "@/api/nodes";
import type { Node } from "@/api/types";
import { Allowed } from "@/components/Allowed";
import { plural } from "@/format";
import classes from "./Nodes.module.css";

const WORDS: Record<NodeAction, { word: string; says: string }> = {
  cordon: { word: "Cordon", says: "What runs there goes on; no new agents." },
  uncordon: { word: "Uncordon", says: "It takes new agents again." },
  drain: { word: "Drain…", says: "No new agents; those there leave after their leases." },
};

/** What makes sense in each state. A lost node can only be kept from taking agents when it is back. */
const OFFERED: Record<Node["state"], NodeAction[]> = {
  ready: ["cordon", "drain"],
  cordoned: ["uncordon", "drain"],
  draining: ["uncordon"],
  lost: ["cordon"],
};

export function NodeActions({ node, refusal }: { node: Node; refusal: string | null }) {
  const client = useQueryClient();
  const acting = useMutation({
    mutationFn: (action: NodeAction) => actOnNode(node.name, action),
    onSuccess: () => void client.invalidateQueries({ queryKey: keys.nodes() }),
    // Why the engine cannot do it is worth reading: it stays until it is closed.
    onError: (error) =>
      notifications.show({
        color: "red",
        title: `${node.name} stays as it is`,
        message: error.message,
        autoClose: false,
      }),
  });
  const run = (action: NodeAction) => {
    if (action === "drain") askFirst(node, () => acting.mutate("drain"));
    else acting.mutate(action);
  };
  return (
    <div className={classes.actions}>
      {OFFERED[node.state].map((action) => (
        <Allowed key={action} refusal={refusal} says={WORDS[action].says}>
          {(may) => (
            <Button
              {...may}
              size="xs"
              variant="default"
              loading={acting.isPending && acting.variables === action}
              onClick={() => run(action)}
              aria-label={`${WORDS[action].word.replace("…", "")} ${node.name}`}
            >
              {WORDS[action].word}
            </Button>
          )}
        </Allowed>
      ))}
    </div>
  );
}

function askFirst(node: Node, drain: () => void) {
  modals.openConfirmModal({
    title: `Drain ${node.name}?`,
    children: (
      <Text>
        {plural(node.agents, "agent")} {node.agents === 1 ? "leaves" : "leave"} it: idle ones as their
        replacements become ready elsewhere, those at work after their lease. Then the engine ends whatever
        else it runs there. No step is interrupted.
      </Text>
    ),
    labels: { confirm: "Drain node", cancel: "Leave it" },
    onConfirm: drain,
  });
}
