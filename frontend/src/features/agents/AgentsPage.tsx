import { Button, Skeleton, Stack } from "@mantine/core";
import { IconPlus, IconRobot } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { getDeployed } from "@/api/agents";
import { keys } from "@/api/keys";
import { useRefusal } from "@/api/me";
import { Allowed } from "@/components/Allowed";
import { EmptyState } from "@/components/EmptyState";
import { ErrorNote } from "@/components/ErrorNote";
import { PageHeader } from "@/components/PageHeader";
import { Page } from "@/shell/Page";
import { AgentCard } from "./AgentCard";
import { DeployModal } from "./DeployModal";

const LOOK_EVERY = 2000;

/** The agents that people deployed by hand: what they should be, what they are, and what is asked of them. */
export default function AgentsPage() {
  const { data, error, isPending, refetch } = useQuery({
    queryKey: keys.deployed(),
    queryFn: ({ signal }) => getDeployed(signal),
    refetchInterval: LOOK_EVERY,
  });
  const [deploying, setDeploying] = useState(false);
  const refusal = useRefusal("operator");
  const deploy = () => setDeploying(true);
  return (
    <Page>
      <PageHeader
        title="Agents"
        about="Deployed by hand, outside any pool. Requests to one that is down wait until it is back."
      >
        <Allowed refusal={refusal}>
          {(may) => (
            <Button {...may} leftSection={<IconPlus size={16} aria-hidden />} onClick={deploy}>
              Deploy agents
            </Button>
          )}
        </Allowed>
      </PageHeader>
      {error && <ErrorNote error={error} onRetry={() => void refetch()} />}
      {isPending && <Skeleton height={160} radius="md" />}
      {data?.results.length === 0 && (
        <EmptyState
          icon={IconRobot}
          title="No deployed agents"
          action={
            <Button onClick={deploy} disabled={refusal !== null} title={refusal ?? undefined}>
              Deploy one
            </Button>
          }
        >
          An agent that is deployed here runs until you stop it. It is started again when it dies, and answers
          at an address of its own.
        </EmptyState>
      )}
      <Stack gap={16}>
        {data?.results.map((agent) => (
          <AgentCard key={agent.id} agent={agent} />
        ))}
      </Stack>
      {deploying && <DeployModal onClose={() => setDeploying(false)} />}
    </Page>
  );
}
