import { Button, Menu } from "@mantine/core";
import { IconCheck, IconChevronDown, IconUsers } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { chooseTeam } from "@/api/client";
import { me } from "@/api/me";

/** Everything shown belongs to one team, so another team is another page load. */
export function switchTeam(slug: string): void {
  chooseTeam(slug);
  window.location.assign("/workflows");
}

export function TeamMenu() {
  const { data } = useQuery(me);
  if (!data) return null;
  return (
    <Menu position="bottom-end" width={220}>
      <Menu.Target>
        <Button
          variant="subtle"
          color="gray"
          size="compact-md"
          leftSection={<IconUsers size={16} stroke={1.7} aria-hidden />}
          rightSection={<IconChevronDown size={14} aria-hidden />}
          aria-label={`Team: ${data.team.name}`}
        >
          {data.team.name}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>Your teams</Menu.Label>
        {data.teams.map((team) => (
          <Menu.Item
            key={team.slug}
            onClick={() => switchTeam(team.slug)}
            rightSection={team.slug === data.team.slug && <IconCheck size={16} aria-label="shown now" />}
          >
            {team.name}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
