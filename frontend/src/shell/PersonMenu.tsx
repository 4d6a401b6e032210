import { ActionIcon, Avatar, Menu } from "@mantine/core";
import { IconBook2, IconLogout, IconSettings } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { me } from "@/api/me";
import { logOut } from "./session";

export function PersonMenu() {
  const { data } = useQuery(me);
  const name = data?.username ?? "";
  return (
    <Menu position="bottom-end" width={220}>
      <Menu.Target>
        <ActionIcon variant="transparent" size={32} aria-label={`You: ${name}`}>
          <Avatar size={28} color="iris" radius="xl">
            {name.slice(0, 1).toUpperCase()}
          </Avatar>
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          {name} · {data?.team.role}
        </Menu.Label>
        <Menu.Item component={Link} to="/settings" leftSection={<IconSettings size={16} aria-hidden />}>
          Settings
        </Menu.Item>
        <Menu.Item component="a" href="/docs/" leftSection={<IconBook2 size={16} aria-hidden />}>
          Documentation
        </Menu.Item>
        <Menu.Divider />
        <Menu.Item leftSection={<IconLogout size={16} aria-hidden />} onClick={logOut}>
          Log out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
