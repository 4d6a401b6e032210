import { Button, Skeleton, Table, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { getAgentRequest, getAgentRequests, replayAgentRequest } from "@/api/agents";
import { keys } from "@/api/keys";
import { useRefusal } from "@/api/me";
import type { AgentRequest } from "@/api/types";
import { Allowed } from "@/components/Allowed";
import { CopyId } from "@/components/CopyId";
import { ErrorNote } from "@/components/ErrorNote";
import { JsonView } from "@/components/JsonView";
import { StateBadge } from "@/components/StateBadge";
import { Ago } from "@/format/Ago";
import classes from "./Agents.module.css";

const REASONS: Record<string, string> = {
  interrupted: "The connection broke off; whether the agent acted on it is not known",
  timeout: "No answer came in time; whether the agent acted on it is not known",
  client_gone: "Whoever asked hung up before the answer ended",
  too_large: "The agent was away, and so large a body is not stored",
};

/** The newest requests to an agent, each to be looked into, and sent again by hand. */
export function Requests({ id }: { id: string }) {
  const { data, error, isPending } = useQuery({
    queryKey: keys.agentRequests(id),
    queryFn: ({ signal }) => getAgentRequests(id, signal),
    refetchInterval: 2000,
  });
  const [open, setOpen] = useState<string | null>(null);
  if (error) return <ErrorNote error={error} />;
  if (isPending) return <Skeleton height={80} mt={16} />;
  if (data.results.length === 0) return <Text className={classes.none}>Nobody has asked it yet.</Text>;
  return (
    <Table mt={8} verticalSpacing={4}>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>Request</Table.Th>
          <Table.Th>State</Table.Th>
          <Table.Th>What</Table.Th>
          <Table.Th>Answer</Table.Th>
          <Table.Th>Came</Table.Th>
          <Table.Th aria-label="Actions" />
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {data.results.map((request) => (
          <Row
            key={request.id}
            agent={id}
            request={request}
            open={open === request.id}
            onToggle={() => setOpen(open === request.id ? null : request.id)}
          />
        ))}
      </Table.Tbody>
    </Table>
  );
}

interface RowProps {
  agent: string;
  request: AgentRequest;
  open: boolean;
  onToggle: () => void;
}

function Row({ agent, request, open, onToggle }: RowProps) {
  return (
    <>
      <Table.Tr>
        <Table.Td>
          <CopyId id={request.id} />
        </Table.Td>
        <Table.Td title={request.reason ? REASONS[request.reason] : undefined}>
          <StateBadge state={request.state} variant="plain" />
        </Table.Td>
        <Table.Td>
          <code className={classes.image}>
            {request.method} {request.path}
          </code>
        </Table.Td>
        <Table.Td>{request.response_status ?? "–"}</Table.Td>
        <Table.Td>
          <Ago at={request.created_at} />
        </Table.Td>
        <Table.Td className={classes.buttons}>
          <Button size="compact-xs" variant="subtle" aria-expanded={open} onClick={onToggle}>
            {open ? "Close" : "Look"}
          </Button>
          <Replay agent={agent} request={request} />
        </Table.Td>
      </Table.Tr>
      {open && (
        <Table.Tr>
          <Table.Td colSpan={6}>
            <Detail agent={agent} id={request.id} reason={request.reason} />
          </Table.Td>
        </Table.Tr>
      )}
    </>
  );
}

/** Why a request cannot be sent again now; null when it can. */
export function replayRefusal(request: AgentRequest): string | null {
  if (!request.replayable) return "Its body passed through, and is not stored.";
  if (request.state === "pending") return "It waits already.";
  return request.state === "processing" ? "It is on its way." : null;
}

function Replay({ agent, request }: { agent: string; request: AgentRequest }) {
  const client = useQueryClient();
  const role = useRefusal("editor");
  const replay = useMutation({
    mutationFn: () => replayAgentRequest(agent, request.id),
    onError: (error) => notifications.show({ color: "red", title: "Sent again", message: error.message }),
    onSettled: () => void client.invalidateQueries({ queryKey: keys.agentRequests(agent) }),
  });
  return (
    <Allowed
      refusal={role ?? replayRefusal(request)}
      says="Sends it once more; the agent may act on it a second time"
    >
      {(may) => (
        <Button
          {...may}
          size="compact-xs"
          variant="subtle"
          loading={replay.isPending}
          onClick={() => replay.mutate()}
        >
          Replay
        </Button>
      )}
    </Allowed>
  );
}

function Detail({ agent, id, reason }: { agent: string; id: string; reason: string | null }) {
  const { data, error } = useQuery({
    queryKey: keys.agentRequest(agent, id),
    queryFn: ({ signal }) => getAgentRequest(agent, id, signal),
  });
  if (error) return <ErrorNote error={error} />;
  if (!data) return <Skeleton height={40} />;
  return (
    <div className={classes.detail}>
      {reason && <Text size="sm">{REASONS[reason] ?? reason}.</Text>}
      <JsonView label="the request" value={data.request_body} />
      <JsonView label="the answer" value={data.response_body} />
      {data.response_cut && <Text size="sm">Only the beginning of the answer was stored.</Text>}
    </div>
  );
}
