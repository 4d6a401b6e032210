import { Skeleton, Stack, VisuallyHidden } from "@mantine/core";

/** The place of a list that is still on its way. */
export function RowsSkeleton({ rows }: { rows: number }) {
  return (
    <Stack gap={8} aria-busy="true">
      <VisuallyHidden>Loading</VisuallyHidden>
      {Array.from({ length: rows }, (_, row) => `row-${row}`).map((key) => (
        <Skeleton key={key} height={44} radius="sm" />
      ))}
    </Stack>
  );
}
