import { Tooltip } from "@mantine/core";
import { useSyncExternalStore } from "react";
import { type FeedState, onFeeds, overall } from "@/realtime/status";
import classes from "./Shell.module.css";

const words: Record<FeedState, [string, string]> = {
  live: ["Live", "What you see changes as it happens."],
  connecting: ["Connecting…", "The live connection is being made."],
  waiting: ["Reconnecting…", "The live connection was lost and comes back by itself; nothing is missed."],
  closed: ["Not live", "The server refused the live connection. Reload the page to connect again."],
};

/** Whether what one sees is live. */
export function LiveMark() {
  const state = useSyncExternalStore(onFeeds, overall);
  const [word, says] = words[state];
  return (
    <Tooltip label={says}>
      <div className={classes.live} data-state={state}>
        <span>{word}</span>
      </div>
    </Tooltip>
  );
}
