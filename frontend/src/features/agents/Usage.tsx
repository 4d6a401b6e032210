import { Text } from "@mantine/core";
import { Figure } from "@/components/Figure";
import { count } from "@/format";
import { bytes } from "./AgentCard";
import classes from "./Agents.module.css";
import { useAgentFeed } from "./useAgentFeed";

interface Sample {
  cpu: number | null;
  memory: number;
  memory_limit: number | null;
  received: number | null;
  sent: number | null;
  processes: number | null;
}

export type UsageMessage =
  ({ type: "usage" } & Sample) | { type: "ended" } | { type: "problem"; detail: string };

const fold = (_before: UsageMessage | null, message: UsageMessage): UsageMessage => message;

/** What the agent uses, every second. */
export function Usage({ id }: { id: string }) {
  const now = useAgentFeed<UsageMessage, UsageMessage | null>(id, "metrics", null, fold);
  if (now === null) return <Text className={classes.none}>Being measured…</Text>;
  if (now.type === "ended") return <Text className={classes.none}>It is not running.</Text>;
  if (now.type === "problem") return <Text className={classes.none}>{now.detail}</Text>;
  const limit = now.memory_limit === null ? "" : ` of ${bytes(now.memory_limit)}`;
  return (
    <dl className={classes.figures}>
      <Figure
        size="lg"
        label="CPU"
        value={now.cpu === null ? "–" : `${Math.round(now.cpu * 100)} %`}
        says="100 %: one CPU is busy"
      />
      <Figure size="lg" label="memory" value={`${bytes(now.memory)}${limit}`} />
      <Figure size="lg" label="received" value={bytes(now.received)} says="By the network, since its start" />
      <Figure size="lg" label="sent" value={bytes(now.sent)} says="By the network, since its start" />
      <Figure size="lg" label="processes" value={count(now.processes)} />
    </dl>
  );
}
