import { Skeleton, Stack } from "@mantine/core";
import { Page } from "./Page";

/** A page that is not here yet: its shape, never a blank. */
export function PageLoading() {
  return (
    <Page>
      <Stack gap={16} role="group" aria-busy="true" aria-label="Loading">
        <Skeleton h={28} w={200} />
        <Skeleton h={48} />
        <Skeleton h={48} />
        <Skeleton h={48} />
      </Stack>
    </Page>
  );
}
