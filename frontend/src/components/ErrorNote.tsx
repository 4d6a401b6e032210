import { Alert, Button, Group, List } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";
import { ApiProblem } from "@/api/client";

interface Props {
  error: unknown;
  /** What did not work, for the heading: "The workflow was not saved". */
  title?: string;
  onRetry?: () => void;
}

/** An error where it belongs: what did not work, why, and a way on. */
export function ErrorNote({ error, title, onRetry }: Props) {
  const faults = error instanceof ApiProblem ? error.errors : [];
  return (
    <Alert
      role="alert"
      color="red"
      variant="light"
      icon={<IconAlertTriangle size={18} aria-hidden />}
      title={title ?? (error instanceof ApiProblem ? error.title : "Something went wrong")}
    >
      {error instanceof Error ? error.message : String(error)}
      {faults.length > 1 && (
        <List size="sm" mt={8}>
          {faults.slice(0, 8).map((fault) => (
            <List.Item key={fault.path + fault.message}>
              <code>{fault.path}</code> {fault.message}
            </List.Item>
          ))}
        </List>
      )}
      {onRetry && (
        <Group mt={8}>
          <Button size="xs" variant="default" onClick={onRetry}>
            Try again
          </Button>
        </Group>
      )}
    </Alert>
  );
}
