import { Text, Title } from "@mantine/core";
import type { ReactNode } from "react";
import classes from "./Section.module.css";

interface Props {
  title: string;
  about?: ReactNode;
  children: ReactNode;
}

/** One subject of the settings: what it is on the left, what one can do on the right. */
export function Section({ title, about, children }: Props) {
  return (
    <section className={classes.section} aria-label={title}>
      <div>
        <Title order={2}>{title}</Title>
        {about && (
          <Text c="dimmed" size="sm" mt={4}>
            {about}
          </Text>
        )}
      </div>
      <div className={classes.body}>{children}</div>
    </section>
  );
}
