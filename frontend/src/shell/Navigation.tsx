import { Tooltip, UnstyledButton } from "@mantine/core";
import { IconLayoutSidebarLeftCollapse, IconLayoutSidebarLeftExpand } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { Mark } from "./Mark";
import { pages } from "./pages";
import classes from "./Shell.module.css";

interface Props {
  folded: boolean;
  /** Left out where there is no room to unfold. */
  onFold?: () => void;
}

export function Navigation({ folded, onFold }: Props) {
  const FoldIcon = folded ? IconLayoutSidebarLeftExpand : IconLayoutSidebarLeftCollapse;
  return (
    <nav className={classes.nav} aria-label="Main">
      <div className={classes.brand}>
        <Mark />
        {!folded && "Agentainer Flow"}
      </div>
      <ul className={classes.links}>
        {pages.map(({ to, name, icon: Icon }) => (
          <li key={to}>
            <Tooltip label={name} position="right" disabled={!folded}>
              <Link to={to} className={classes.link} aria-label={name}>
                <Icon size={18} stroke={1.7} aria-hidden />
                {!folded && name}
              </Link>
            </Tooltip>
          </li>
        ))}
      </ul>
      {onFold && (
        <Tooltip label="Unfold the navigation" position="right" disabled={!folded}>
          <UnstyledButton
            className={`${classes.link} ${classes.fold}`}
            onClick={onFold}
            aria-expanded={!folded}
            aria-label={folded ? "Unfold the navigation" : "Fold the navigation"}
          >
            <FoldIcon size={18} stroke={1.7} aria-hidden />
            {!folded && "Fold"}
          </UnstyledButton>
        </Tooltip>
      )}
    </nav>
  );
}
