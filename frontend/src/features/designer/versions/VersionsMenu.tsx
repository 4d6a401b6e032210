import { Button, Menu, ScrollArea, Text } from "@mantine/core";
import { IconGitCompare, IconHistory } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { versionList } from "@/api/workflows";
import { Ago } from "@/format/Ago";
import classes from "../Designer.module.css";

interface Props {
  name: string;
  /** The version that is being edited. */
  current: number;
  onView: (version: number) => void;
  onCompare: (from: number) => void;
}

/** Every version that was saved; choosing one shows it as it was. */
export function VersionsMenu({ name, current, onView, onCompare }: Props) {
  const [opened, setOpened] = useState(false);
  const { data, isError } = useQuery({ ...versionList(name), enabled: opened });
  const before = data?.results.find(({ version }) => version < current);
  return (
    <Menu opened={opened} onChange={setOpened} position="bottom-end" width={280}>
      <Menu.Target>
        <Button
          variant="subtle"
          color="gray"
          aria-label="Versions"
          className={classes.button}
          leftSection={<IconHistory size={16} aria-hidden />}
        >
          Versions
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <ScrollArea.Autosize mah={360}>
          {isError && <Menu.Label>The versions could not be loaded.</Menu.Label>}
          {!data && !isError && <Menu.Label>Loading …</Menu.Label>}
          {data?.results.map(({ version, created_at, created_by }) => (
            <Menu.Item key={version} onClick={() => onView(version)} disabled={version === current}>
              <Text size="sm" fw={500}>
                Version {version}
                {version === current ? " · this one" : ""}
              </Text>
              <Text size="xs" c="dimmed">
                {created_by} · <Ago at={created_at} />
              </Text>
            </Menu.Item>
          ))}
        </ScrollArea.Autosize>
        <Menu.Divider />
        <Menu.Item
          leftSection={<IconGitCompare size={16} aria-hidden />}
          disabled={!before}
          onClick={() => before && onCompare(before.version)}
        >
          Compare versions
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
