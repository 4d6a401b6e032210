import { Button } from "@mantine/core";
import { IconUsers } from "@tabler/icons-react";
import { EmptyState } from "@/components/EmptyState";
import { logOut } from "./session";

/** Somebody who is signed in and belongs to no team: there is nothing to show, and this says why. */
export function NoTeam({ says }: { says: string }) {
  return (
    <main>
      <EmptyState
        icon={IconUsers}
        title="You are in no team yet"
        action={
          <Button variant="default" onClick={logOut}>
            Log out
          </Button>
        }
      >
        {says} Then reload this page. Workflows, runs and pools belong to teams, so there is nothing to see
        until then.
      </EmptyState>
    </main>
  );
}
