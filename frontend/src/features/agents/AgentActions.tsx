import { ActionIcon, Group, Menu, Text } from "@mantine/core";
import { modals } from "@mantine/modals";
import { notifications } from "@mantine/notifications";
import {
  IconDots,
  IconPlayerPause,
  IconPlayerPlay,
  IconPlayerStop,
  IconRefresh,
  IconTrash,
  type TablerIcon,
} from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { actOnAgent, removeAgent, type Verb } from "@/api/agents";
import { keys } from "@/api/keys";
import { useRefusal } from "@/api/me";
import type { DeployedAgent } from "@/api/types";
import { Allowed } from "@/components/Allowed";

interface Act {
  verb: Verb;
  word: string;
  says: string;
  icon: TablerIcon;
}

const ACTS: Record<Verb, Act> = {
  start: { verb: "start", word: "Start", says: "Starts it; what waits is delivered", icon: IconPlayerPlay },
  stop: { verb: "stop", word: "Stop", says: "Ends it; requests wait from then on", icon: IconPlayerStop },
  pause: { verb: "pause", word: "Pause", says: "Freezes it as it is; requests wait", icon: IconPlayerPause },
  resume: { verb: "resume", word: "Resume", says: "Goes on where it was frozen", icon: IconPlayerPlay },
  restart: { verb: "restart", word: "Restart", says: "Stops it, and starts it again", icon: IconRefresh },
};

/** What makes sense now, by what people want it to be. */
export function actsOf(agent: Pick<DeployedAgent, "desired" | "state">): Verb[] {
  if (agent.desired === "stopped") return ["start"];
  if (agent.desired === "paused") return ["resume", "stop"];
  return agent.state === "failed" || agent.state === "stopped"
    ? ["start", "stop"]
    : ["pause", "stop", "restart"];
}

export function AgentActions({ agent }: { agent: DeployedAgent }) {
  const client = useQueryClient();
  const refusal = useRefusal("operator");
  const act = useMutation({
    mutationFn: (verb: Verb) => actOnAgent(agent.id, verb),
    onSuccess: () => void client.invalidateQueries({ queryKey: keys.deployed() }),
    onError: (error) => notifications.show({ color: "red", title: agent.name, message: error.message }),
  });
  const remove = useRemoval(agent);
  return (
    <Group gap={4} wrap="nowrap">
      {actsOf(agent).map((verb) => {
        const { word, says, icon: Icon } = ACTS[verb];
        return (
          <Allowed key={verb} refusal={refusal} says={says}>
            {(may) => (
              <ActionIcon
                {...may}
                variant="subtle"
                color="gray"
                aria-label={`${word} ${agent.name}`}
                loading={act.isPending && act.variables === verb}
                onClick={() => act.mutate(verb)}
              >
                <Icon size={16} aria-hidden />
              </ActionIcon>
            )}
          </Allowed>
        );
      })}
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" aria-label={`More for ${agent.name}`}>
            <IconDots size={16} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item component="a" href={`/agent/${agent.id}/`} target="_blank" rel="noreferrer">
            Open its own pages
          </Menu.Item>
          <Menu.Item
            color="red"
            leftSection={<IconTrash size={16} aria-hidden />}
            disabled={refusal !== null}
            title={refusal ?? undefined}
            onClick={remove}
          >
            Remove…
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
    </Group>
  );
}

/** Removing asks first, and says what is lost. */
function useRemoval(agent: DeployedAgent): () => void {
  const client = useQueryClient();
  const removal = useMutation({
    mutationFn: () => removeAgent(agent.id, false),
    onSuccess: () => {
      notifications.show({ message: `${agent.name} was removed.` });
      void client.invalidateQueries({ queryKey: keys.deployed() });
    },
    onError: (error) => notifications.show({ color: "red", title: agent.name, message: error.message }),
  });
  return () =>
    modals.openConfirmModal({
      title: `Remove ${agent.name}?`,
      children: (
        <Text>
          It ends, and is forgotten with its log and its requests, also those that wait. Its named volumes
          stay.
        </Text>
      ),
      labels: { confirm: "Remove agent", cancel: "Keep it" },
      confirmProps: { color: "red" },
      onConfirm: () => removal.mutate(),
    });
}
