import { ActionIcon, Button, Tooltip } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { type Action, actionOf, perform } from "@/canvas/actions";
import { useDesigner } from "@/canvas/store";
import { useActions } from "./actionContext";
import classes from "./Designer.module.css";

interface Props {
  /** `at` is where the palette goes: below the button. */
  onAdd: (at: { x: number; y: number }) => void;
}

/** What one does on the canvas, at its upper left. */
export function Toolbar({ onAdd }: Props) {
  const locked = useDesigner((state) => state.lockedBecause);
  return (
    <div className={classes.toolbar} role="toolbar" aria-label="Canvas">
      <Tooltip label={locked ?? "Add a step · N"} position="top">
        <Button
          size="compact-md"
          variant="light"
          leftSection={<IconPlus size={16} aria-hidden />}
          data-af-add
          disabled={locked !== null}
          onClick={(event) => {
            const { left, bottom } = event.currentTarget.getBoundingClientRect();
            onAdd({ x: left, y: bottom + 8 });
          }}
        >
          Add step
        </Button>
      </Tooltip>
      {["undo", "redo", "auto-layout", "fit"].map((id) => (
        <ToolButton key={id} action={actionOf(id)} />
      ))}
    </div>
  );
}

function ToolButton({ action }: { action: Action }) {
  const context = useActions();
  const enabled = useDesigner(action.enabled);
  const locked = useDesigner((state) => state.lockedBecause);
  return (
    <Tooltip
      position="bottom"
      label={
        locked && !enabled
          ? locked
          : action.hotkey
            ? `${action.label} · ${keysOf(action.hotkey)}`
            : action.label
      }
    >
      <ActionIcon
        variant="subtle"
        color="gray"
        size={30}
        className={classes.tool}
        aria-label={action.label}
        disabled={!enabled}
        onClick={() => perform(action, context)}
      >
        <action.icon size={18} stroke={1.7} />
      </ActionIcon>
    </Tooltip>
  );
}

/** `mod+shift+Z` as it stands on keyboards. */
export function keysOf(hotkey: string): string {
  return hotkey
    .split("+")
    .map((key) => (key === "mod" ? "Ctrl" : key.charAt(0).toUpperCase() + key.slice(1)))
    .join(" ");
}
