import { Button } from "@mantine/core";
import { IconMapOff } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { EmptyState } from "@/components/EmptyState";
import { Page } from "./Page";

export function NotFound() {
  return (
    <Page>
      <EmptyState
        icon={IconMapOff}
        title="There is nothing at this address"
        action={
          <Button component={Link} to="/workflows">
            Go to Workflows
          </Button>
        }
      >
        The link may be old, or what it showed was deleted.
      </EmptyState>
    </Page>
  );
}
