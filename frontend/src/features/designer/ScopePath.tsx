import { UnstyledButton } from "@mantine/core";
import { IconRepeat, IconRoute } from "@tabler/icons-react";
import { useDesigner, useDesignerStore } from "@/canvas/store";
import classes from "./Designer.module.css";

/** Inside which loop the canvas is, and the way out. */
export function ScopePath() {
  const store = useDesignerStore();
  const scope = useDesigner((state) => state.scope);
  if (scope.length === 0) return null;
  return (
    <nav className={classes.scope} aria-label="Loops">
      <ol>
        <li>
          <UnstyledButton onClick={() => store.getState().enter([])}>
            <IconRoute size={14} aria-hidden /> Workflow
          </UnstyledButton>
        </li>
        {scope.map((loop, depth) => (
          <li key={loop}>
            <UnstyledButton
              aria-current={depth === scope.length - 1 ? "location" : undefined}
              onClick={() => store.getState().enter(scope.slice(0, depth + 1))}
            >
              <IconRepeat size={14} aria-hidden /> {loop}
            </UnstyledButton>
          </li>
        ))}
      </ol>
    </nav>
  );
}
