import { UnstyledButton } from "@mantine/core";
import { spotlight } from "@mantine/spotlight";
import { IconSearch } from "@tabler/icons-react";
import { Breadcrumbs } from "./Breadcrumbs";
import { LiveMark } from "./LiveMark";
import { PersonMenu } from "./PersonMenu";
import classes from "./Shell.module.css";
import { TeamMenu } from "./TeamMenu";
import { ThemeSwitch } from "./ThemeSwitch";

export function TopBar() {
  return (
    <header className={classes.bar}>
      <Breadcrumbs />
      <LiveMark />
      <UnstyledButton className={classes.search} onClick={spotlight.open} aria-keyshortcuts="Control+K">
        <IconSearch size={16} stroke={1.7} aria-hidden />
        <span>Search</span>
        <kbd aria-hidden>Ctrl K</kbd>
      </UnstyledButton>
      <TeamMenu />
      <ThemeSwitch />
      <PersonMenu />
    </header>
  );
}
