import { ActionIcon, Button } from "@mantine/core";
import { useElementSize } from "@mantine/hooks";
import { IconAdjustments, IconX } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { Group, Panel, Separator, useDefaultLayout } from "react-resizable-panels";
import { findStep } from "@/canvas/document";
import { kindOf } from "@/canvas/nodes";
import { openLoop, useDesigner } from "@/canvas/store";
import { plural } from "@/format";
import classes from "./Designer.module.css";
import { Inspector } from "./inspector/Inspector";

/** Below this, in pixels, canvas and inspector do not both have room. */
const ROOM_FOR_BOTH = 880;

interface Props {
  stage: ReactNode;
  /** Whether the inspector is open where it has no place of its own. */
  sheet: boolean;
  onSheet: (open: boolean) => void;
}

/** Canvas and inspector side by side, or, where there is little room, the inspector as a sheet over the canvas. */
export function Panels({ stage, sheet, onSheet }: Props) {
  const { ref, width } = useElementSize();
  const narrow = width > 0 && width < ROOM_FOR_BOTH;
  return (
    <div ref={ref} className={classes.room}>
      {narrow ? (
        <div className={classes.narrow}>
          {stage}
          {sheet ? (
            <div className={classes.sheet}>
              <ActionIcon
                className={classes.closeSheet}
                variant="default"
                size={28}
                aria-label="Close the inspector"
                onClick={() => onSheet(false)}
              >
                <IconX size={16} />
              </ActionIcon>
              <Inspector />
            </div>
          ) : (
            <SelectionBar onOpen={() => onSheet(true)} />
          )}
        </div>
      ) : (
        <SideBySide stage={stage} />
      )}
    </div>
  );
}

/** The widths are remembered. */
function SideBySide({ stage }: { stage: ReactNode }) {
  const layout = useDefaultLayout({ id: "af-designer", storage: localStorage });
  return (
    <Group orientation="horizontal" {...layout}>
      <Panel id="stage" minSize={360}>
        {stage}
      </Panel>
      <Separator className={classes.separator} />
      <Panel
        id="inspector"
        defaultSize={376}
        minSize={320}
        maxSize={720}
        groupResizeBehavior="preserve-pixel-size"
      >
        <Inspector />
      </Panel>
    </Group>
  );
}

/** What is selected, and the way to its fields. */
function SelectionBar({ onOpen }: { onOpen: () => void }) {
  const selected = useDesigner((state) => state.selected);
  const step = useDesigner((state) => findStep(state.document, state.selected[0]) ?? openLoop(state));
  const words =
    selected.length > 1
      ? `${plural(selected.length, "step")} selected`
      : step
        ? `${step.name ?? step.id} · ${kindOf(step.type).word}`
        : "Workflow";
  return (
    <div className={classes.selection}>
      <span>{words}</span>
      <Button
        size="compact-sm"
        variant="light"
        leftSection={<IconAdjustments size={14} aria-hidden />}
        onClick={onOpen}
      >
        Fields
      </Button>
    </div>
  );
}
