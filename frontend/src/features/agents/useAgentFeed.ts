import { useEffect, useState } from "react";
import { chosenTeam } from "@/api/client";
import { openFeed, socketUrl } from "@/realtime/feed";

/** Folds what an agent's socket tells into a value, for as long as the component is there. */
export function useAgentFeed<Message, Value>(
  id: string,
  what: "logs" | "metrics",
  first: Value,
  fold: (before: Value, message: Message) => Value,
): Value {
  const [value, setValue] = useState(first);
  useEffect(
    () =>
      openFeed({
        url: () => socketUrl(`/ws/agents/${id}/${what}/`, { team: chosenTeam() }),
        onMessage: (message) => setValue((before) => fold(before, message as Message)),
        // A socket that begins anew tells its last lines again.
        onState: (state) => state === "connecting" && setValue(first),
      }),
    [id, what, first, fold],
  );
  return value;
}
