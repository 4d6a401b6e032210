import {
  IconBolt,
  IconChartArrowsVertical,
  IconCoins,
  IconCpu,
  IconHistory,
  IconRobot,
  IconServer2,
  IconSettings,
  IconSitemap,
  type TablerIcon,
} from "@tabler/icons-react";

/** The pages of the left navigation, in order. */
export const pages = [
  { to: "/workflows", name: "Workflows", icon: IconSitemap, about: "What can run" },
  { to: "/runs", name: "Runs", icon: IconHistory, about: "What runs and what ran" },
  { to: "/triggers", name: "Triggers", icon: IconBolt, about: "What starts runs by itself" },
  { to: "/pools", name: "Pools", icon: IconServer2, about: "The warm agents" },
  {
    to: "/scaling",
    name: "Scaling",
    icon: IconChartArrowsVertical,
    about: "Why pools have the sizes that they have",
  },
  { to: "/budgets", name: "Budgets", icon: IconCoins, about: "What agents cost, and may cost" },
  { to: "/agents", name: "Agents", icon: IconRobot, about: "Agents deployed by hand" },
  { to: "/nodes", name: "Nodes", icon: IconCpu, about: "The machines that agents run on" },
  { to: "/settings", name: "Settings", icon: IconSettings, about: "You, your teams, the API" },
] as const satisfies readonly { to: string; name: string; icon: TablerIcon; about: string }[];
