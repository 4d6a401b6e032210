import { Avatar, Badge, Button, Skeleton, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { me } from "@/api/me";
import { ErrorNote } from "@/components/ErrorNote";
import { logOut } from "@/shell/session";
import { switchTeam } from "@/shell/TeamMenu";
import { Section } from "./Section";
import classes from "./Section.module.css";

const roles: Record<string, string> = {
  viewer: "sees everything of the team",
  editor: "edits and runs workflows",
  operator: "edits and runs workflows, manages pools",
  admin: "edits and runs workflows, manages pools and the team",
};

export function PersonPanel() {
  const { data, error, refetch } = useQuery(me);
  if (error) return <ErrorNote error={error} onRetry={() => void refetch()} />;
  if (!data) return <Skeleton h={160} />;
  return (
    <>
      <Section title="You" about="Whom you are signed in as.">
        <div className={classes.row}>
          <Avatar size={32} color="iris" radius="xl">
            {data.username.slice(0, 1).toUpperCase()}
          </Avatar>
          <Text fw={500}>{data.username}</Text>
          <Button className={classes.push} variant="default" onClick={logOut}>
            Log out
          </Button>
        </div>
      </Section>
      <Section title="Teams" about="Workflows, runs and pools belong to a team. You see one team at a time.">
        {data.teams.map((team) => (
          <div key={team.slug} className={classes.row}>
            <div>
              <Text fw={500}>{team.name}</Text>
              <Text size="sm" c="dimmed">
                {team.role}: {roles[team.role] ?? "a role of this team"}
              </Text>
            </div>
            {team.slug === data.team.slug ? (
              <Badge className={classes.push} variant="light">
                Shown now
              </Badge>
            ) : (
              <Button className={classes.push} variant="default" onClick={() => switchTeam(team.slug)}>
                Switch
              </Button>
            )}
          </div>
        ))}
      </Section>
    </>
  );
}
