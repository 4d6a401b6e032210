import { IconArrowRampRight, IconClock, IconWebhook, type TablerIcon } from "@tabler/icons-react";
import type { Trigger, TriggerKind } from "@/api/types";
import { inWords } from "./cron";

interface KindLook {
  word: string;
  icon: TablerIcon;
  says: string;
}

export const KINDS: Record<TriggerKind, KindLook> = {
  schedule: { word: "Schedule", icon: IconClock, says: "At the times of a cron line" },
  webhook: { word: "Webhook", icon: IconWebhook, says: "When a program posts to an address, signed" },
  event: { word: "Event", icon: IconArrowRampRight, says: "When another workflow's run ends" },
};

/** When a trigger goes off, in a sentence without its end. */
export function whenOf(trigger: Trigger): string {
  switch (trigger.kind) {
    case "schedule": {
      const { cron, timezone } = trigger.config;
      return `${inWords(cron) ?? cron} (${timezone ?? "UTC"})`;
    }
    case "webhook":
      return "When a signed request comes";
    case "event":
      return `When a run of ${trigger.config.workflow} ${trigger.config.states.map(ended).join(" or ")}`;
  }
}

function ended(state: string): string {
  return { completed: "completes", failed: "fails", cancelled: "is cancelled" }[state] ?? state;
}

export const CATCH_UP = [
  { value: "last", label: "Make up for the last one" },
  { value: "all", label: "Make up for all of them" },
  { value: "skip", label: "Skip what was missed" },
];

export const OVERLAP = [
  { value: "queue", label: "Wait until it has ended" },
  { value: "skip", label: "Skip this one" },
  { value: "allow", label: "Run beside each other" },
];

export const STATES = [
  { value: "completed", label: "completes" },
  { value: "failed", label: "fails" },
  { value: "cancelled", label: "is cancelled" },
];

export function labelIn(choices: { value: string; label: string }[], value: string | undefined): string {
  return choices.find((choice) => choice.value === value)?.label ?? choices[0]?.label ?? "";
}

/** How a firing's outcome looks, by the states that everybody knows. */
export const OUTCOME_STATE: Record<string, string> = {
  started: "completed",
  queued: "queued",
  skipped: "skipped",
  failed: "failed",
};

/** The zone's own clock: what was asked is "09:00 in Berlin", wherever one looks at it. */
export function inZone(at: string, zone: string): string {
  return new Date(at).toLocaleString("en", {
    weekday: "short",
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
    timeZone: zone,
    timeZoneName: "short",
  });
}

export function knownZones(): string[] {
  return ["UTC", ...Intl.supportedValuesOf("timeZone").filter((zone) => zone !== "UTC")];
}
