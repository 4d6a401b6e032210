import { Stack, Text, Title } from "@mantine/core";
import type { TablerIcon } from "@tabler/icons-react";
import type { ReactNode } from "react";
import classes from "./EmptyState.module.css";

interface Props {
  icon: TablerIcon;
  title: string;
  /** Two lines at most: what this place is for, and what to do next. */
  children: ReactNode;
  action?: ReactNode;
}

/** Nothing here yet: what this place is for, and the first step. */
export function EmptyState({ icon: Icon, title, children, action }: Props) {
  return (
    <Stack className={classes.empty} align="center" gap={8}>
      <span className={classes.icon}>
        <Icon size={22} stroke={1.6} aria-hidden />
      </span>
      <Title order={2} mt={8}>
        {title}
      </Title>
      <Text c="dimmed" ta="center" maw={420}>
        {children}
      </Text>
      {action && <div className={classes.action}>{action}</div>}
    </Stack>
  );
}
