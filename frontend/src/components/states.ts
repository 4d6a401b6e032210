import {
  IconActivity,
  IconAlertTriangle,
  IconArrowBackUp,
  IconArrowDown,
  IconArrowUp,
  IconBan,
  IconCircle,
  IconCircleCheck,
  IconCircleDashed,
  IconCircleX,
  IconClock,
  IconDroplet,
  IconDropletOff,
  IconGhost2,
  IconHeartBroken,
  IconHourglass,
  IconLoader2,
  IconLock,
  IconPlayerPause,
  IconPlugX,
  IconPower,
  IconEqual,
  IconStack2,
  IconSteeringWheel,
  type TablerIcon,
} from "@tabler/icons-react";
import "./states.css";

export type Hue = "grey" | "slate" | "blue" | "amber" | "green" | "red" | "violet";

/** How a state looks: a colour, an icon and a word. `says` explains it on hover. */
export interface StateLook {
  word: string;
  hue: Hue;
  icon: TablerIcon;
  says: string;
  turns?: boolean;
}

const looks: Record<string, StateLook> = {
  pending: { word: "pending", hue: "grey", icon: IconClock, says: "Waits for the steps before it" },
  queued: { word: "queued", hue: "slate", icon: IconStack2, says: "Ready; waits for a free agent" },
  running: { word: "running", hue: "blue", icon: IconLoader2, says: "At work on an agent", turns: true },
  waiting: {
    word: "waiting",
    hue: "amber",
    icon: IconHourglass,
    says: "Waits for somebody or something outside",
  },
  paused: { word: "paused", hue: "amber", icon: IconPlayerPause, says: "Held; starts nothing new" },
  completed: { word: "completed", hue: "green", icon: IconCircleCheck, says: "Ended well" },
  failed: { word: "failed", hue: "red", icon: IconCircleX, says: "Ended with an error" },
  skipped: { word: "skipped", hue: "grey", icon: IconCircleDashed, says: "Not run" },
  cancelled: { word: "cancelled", hue: "grey", icon: IconBan, says: "Stopped by a person" },
  compensated: { word: "compensated", hue: "violet", icon: IconArrowBackUp, says: "Undone after a failure" },
  created: {
    word: "created",
    hue: "blue",
    icon: IconArrowUp,
    says: "Known; its container is about to start",
  },
  stopped: { word: "stopped", hue: "grey", icon: IconPower, says: "Not running; requests to it wait" },
  processing: { word: "processing", hue: "blue", icon: IconLoader2, says: "On its way", turns: true },
  starting: { word: "starting", hue: "blue", icon: IconArrowUp, says: "Its container comes up" },
  idle: { word: "idle", hue: "green", icon: IconCircle, says: "Warm and free" },
  active: { word: "active", hue: "green", icon: IconActivity, says: "Leased and at work" },
  draining: { word: "draining", hue: "amber", icon: IconDroplet, says: "Finishes its lease, then ends" },
  drained: { word: "drained", hue: "amber", icon: IconDropletOff, says: "No leases until it is resumed" },
  unhealthy: {
    word: "unhealthy",
    hue: "red",
    icon: IconHeartBroken,
    says: "Failed its health check; being replaced",
  },
  ready: { word: "ready", hue: "green", icon: IconCircleCheck, says: "Takes agents" },
  cordoned: { word: "cordoned", hue: "amber", icon: IconLock, says: "Keeps what runs, takes nothing new" },
  requested: { word: "requested", hue: "grey", icon: IconClock, says: "Its provider is asked for it" },
  launched: {
    word: "launched",
    hue: "blue",
    icon: IconArrowUp,
    says: "Rented; it has not joined the engine yet",
  },
  joined: { word: "joined", hue: "green", icon: IconCircleCheck, says: "A node that takes agents" },
  leaving: {
    word: "leaving",
    hue: "amber",
    icon: IconDroplet,
    says: "Takes no agents, and goes with its last one",
  },
  launch: { word: "rented", hue: "green", icon: IconArrowUp, says: "More machines" },
  release: { word: "released", hue: "amber", icon: IconArrowDown, says: "Fewer machines" },
  lost: { word: "lost", hue: "red", icon: IconPlugX, says: "Its engine is not heard of" },
  steers: {
    word: "steers",
    hue: "green",
    icon: IconSteeringWheel,
    says: "Decides the size every two seconds, and at once when somebody waits",
  },
  shadow: {
    word: "shadow",
    hue: "violet",
    icon: IconGhost2,
    says: "Decides and records, and changes nothing",
  },
  off: {
    word: "off",
    hue: "grey",
    icon: IconPower,
    says: "Decides nothing: agents are made for the work at hand",
  },
  ok: { word: "within budget", hue: "green", icon: IconCircleCheck, says: "It will last, as it goes now" },
  warning: {
    word: "watch it",
    hue: "amber",
    icon: IconAlertTriangle,
    says: "Half of it is spent, or it will not last to the period’s end",
  },
  exhausted: {
    word: "exhausted",
    hue: "red",
    icon: IconCircleX,
    says: "Spent, or what is left is reserved: nothing new starts",
  },
  heeded: { word: "heeded", hue: "green", icon: IconCircleCheck, says: "A floor of the pool’s size" },
  unheeded: { word: "not heeded", hue: "grey", icon: IconPower, says: "It changes nothing of the size" },
  open: { word: "open", hue: "amber", icon: IconAlertTriangle, says: "Its cause has not ended" },
  resolved: { word: "resolved", hue: "green", icon: IconCircleCheck, says: "Its cause has ended" },
  sent: { word: "sent", hue: "green", icon: IconCircleCheck, says: "It was taken" },
  scale_up: { word: "up", hue: "green", icon: IconArrowUp, says: "More agents" },
  scale_down: { word: "down", hue: "amber", icon: IconArrowDown, says: "Fewer agents" },
  hold: { word: "held", hue: "grey", icon: IconEqual, says: "The size stays" },
  terminated: { word: "terminated", hue: "grey", icon: IconPower, says: "Ended" },
};

/** The look of a state; an unknown one is told by its own word. */
export function lookOf(state: string): StateLook {
  return looks[state] ?? { word: state, hue: "grey", icon: IconCircle, says: state };
}

const FINAL = new Set(["completed", "failed", "skipped", "cancelled", "compensated", "terminated"]);

/** Whether a run, step or item in this state will not change again. */
export function isFinal(state: string): boolean {
  return FINAL.has(state);
}
