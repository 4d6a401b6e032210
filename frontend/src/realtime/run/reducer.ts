import { handlers } from "./handlers";
import type { ItemChange, RunEventMessage, RunLive, RunMessage } from "./state";

/**
 * What the page knows after `messages`. An event that was already seen (after a reconnect, some come twice)
 * changes nothing.
 */
export function reduceRun(live: RunLive | undefined, messages: RunMessage[]): RunLive | undefined {
  let next = live;
  for (const message of messages) {
    if (message.type === "snapshot") {
      next = { seq: message.seq, run: message.run, steps: withValues(message.steps, next?.steps ?? []) };
    } else if (next && message.seq > (next.seq ?? -1)) {
      const handler = handlers[message.event];
      next = { ...(handler ? handler(next, message) : next), seq: message.seq };
    }
  }
  return next;
}

function withValues(steps: RunLive["steps"], known: RunLive["steps"]): RunLive["steps"] {
  const byId = new Map(known.map((step) => [step.id, step]));
  return steps.map((step) => ({ ...byId.get(step.id), ...step }));
}

/** The changes of items in `messages`, by step; the later one of an item wins. */
export function itemChanges(messages: RunMessage[]): Map<string, Map<number, ItemChange>> {
  const found = new Map<string, Map<number, ItemChange>>();
  for (const message of messages) {
    if (message.type !== "event" || message.event !== "items.changed") continue;
    const { step, items } = message.data as { step?: { id: string }; items?: ItemChange[] };
    if (!step || !items) continue;
    const ofStep = found.get(step.id) ?? new Map<number, ItemChange>();
    for (const change of items) ofStep.set(change[0], change);
    found.set(step.id, ofStep);
  }
  return found;
}

export function eventsIn(messages: RunMessage[]): RunEventMessage[] {
  return messages.filter((message) => message.type === "event");
}
