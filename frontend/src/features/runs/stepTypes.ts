import {
  IconArrowMerge,
  IconArrowsSplit2,
  IconBox,
  IconPlayerPlay,
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
};

/** How a step type looks; one that this page does not know is told by its own word. */
export function typeOf(type: string): TypeLook {
  return looks[type] ?? { word: type, icon: IconBox };
}
