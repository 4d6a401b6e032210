import { Text } from "@mantine/core";
import { useEffect, useRef } from "react";
import classes from "./Agents.module.css";
import { useAgentFeed } from "./useAgentFeed";

type Message = { type: "log"; text: string } | { type: "ended" } | { type: "problem"; detail: string };

const MOST = 200_000;

/** The newest part of the log, with what happened to the agent between its lines. */
export function foldLog(before: string, message: Message): string {
  const more =
    message.type === "log"
      ? message.text
      : message.type === "ended"
        ? "— the agent is not running —\n"
        : `— ${message.detail} —\n`;
  const all = before + more;
  if (all.length <= MOST) return all;
  const cut = all.slice(-MOST);
  return cut.slice(cut.indexOf("\n") + 1);
}

/** The agent's log as it is written; it stays at its end unless one scrolls up. */
export function LogView({ id }: { id: string }) {
  const text = useAgentFeed<Message, string>(id, "logs", "", foldLog);
  const box = useRef<HTMLPreElement>(null);
  const atEnd = useRef(true);
  useEffect(() => {
    const element = box.current;
    if (element && atEnd.current && text) element.scrollTop = element.scrollHeight;
  }, [text]);
  if (text === "") return <Text className={classes.none}>It has written nothing yet.</Text>;
  return (
    <pre
      ref={box}
      className={classes.log}
      // It can be scrolled, hence must be in reach of the keyboard.
      tabIndex={0}
      aria-label="Log"
      onScroll={(event) => {
        const { scrollHeight, scrollTop, clientHeight } = event.currentTarget;
        atEnd.current = scrollHeight - scrollTop - clientHeight < 24;
      }}
    >
      {text}
    </pre>
  );
}
