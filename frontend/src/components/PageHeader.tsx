import { Group, Text, Title } from "@mantine/core";
import type { ReactNode } from "react";

interface Props {
  title: ReactNode;
  /** One line under the title. */
  about?: ReactNode;
  children?: ReactNode;
}

/** The head of a page: its name, one line about it, and its actions on the right. */
export function PageHeader({ title, about, children }: Props) {
  return (
    <Group justify="space-between" align="flex-start" mb={24} gap={16}>
      <div style={{ flex: "1 1 240px", minWidth: 0 }}>
        <Title order={1}>{title}</Title>
        {about && (
          <Text c="dimmed" mt={4}>
            {about}
          </Text>
        )}
      </div>
      <Group gap={8}>{children}</Group>
    </Group>
  );
}
