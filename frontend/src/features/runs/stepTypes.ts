import {
  IconArrowMerge,
  IconArrowsMinimize,
  IconArrowsSplit,
  IconArrowsSplit2,
  IconBox,
  IconClockPause,
  IconPlayerPlay,
  IconRepeat,
  IconSitemap,
  IconUserCheck,
  type TablerIcon,
} from "@tabler/icons-react";

interface TypeLook {
  word: string;
  icon: TablerIcon;
}

const looks: Record<string, TypeLook> = {
  task: { word: "Task", icon: IconPlayerPlay },
  map: { word: "Map", icon: IconArrowsSplit2 },
  reduce: { word: "Reduce", icon: IconArrowMerge },
  mapreduce: { word: "Map and reduce", icon: IconArrowsMinimize },
  branch: { word: "Branch", icon: IconArrowsSplit },
  loop: { word: "Loop", icon: IconRepeat },
  workflow: { word: "Workflow", icon: IconSitemap },
  approval: { word: "Approval", icon: IconUserCheck },
  wait: { word: "Wait", icon: IconClockPause },
};

/** How a step type looks; one that this page does not know is told by its own word. */
export function typeOf(type: string): TypeLook {
  return looks[type] ?? { word: type, icon: IconBox };
}
