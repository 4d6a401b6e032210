import { Button, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { IconPlus, IconSearch, IconSitemap } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { useRefusal } from "@/api/me";
import { workflowList } from "@/api/workflows";
import { Allowed } from "@/components/Allowed";
import { EmptyState } from "@/components/EmptyState";
import { ErrorNote } from "@/components/ErrorNote";
import { PageHeader } from "@/components/PageHeader";
import { Page } from "@/shell/Page";
import { NewWorkflowModal } from "./NewWorkflowModal";
import { WorkflowTable } from "./WorkflowTable";

/** What can run: every workflow of the team. */
export default function WorkflowsPage() {
  const { search = "", new: making } = useSearch({ from: "/workflows" });
  const navigate = useNavigate();
  const refusal = useRefusal("editor");
  const found = useInfiniteQuery(workflowList(search));
  const rows = found.data?.pages.flatMap((page) => page.results) ?? [];
  const open = () => void navigate({ to: "/workflows", search: { search: search || undefined, new: true } });
  const close = () =>
    void navigate({ to: "/workflows", search: { search: search || undefined }, replace: true });
  const none = found.isSuccess && rows.length === 0;
  return (
    <Page>
      <PageHeader title="Workflows" about="Steps that run on pools of warm agents.">
        <Allowed refusal={refusal}>
          {(may) => (
            <Button {...may} leftSection={<IconPlus size={16} aria-hidden />} onClick={open}>
              New workflow
            </Button>
          )}
        </Allowed>
      </PageHeader>
      {(search || !none) && <SearchField initial={search} />}
      {found.error && <ErrorNote error={found.error} onRetry={() => void found.refetch()} />}
      {none && !search && (
        <EmptyState
          icon={IconSitemap}
          title="No workflows yet"
          action={
            <Allowed refusal={refusal}>
              {(may) => (
                <Button {...may} onClick={open}>
                  Make the first workflow
                </Button>
              )}
            </Allowed>
          }
        >
          A workflow is a graph of steps; each runs on a warm agent, so it starts in milliseconds. Draw one
          here, or deploy one from Python with the SDK.
        </EmptyState>
      )}
      {none && search && (
        <EmptyState icon={IconSearch} title={`Nothing matches “${search}”`}>
          The search looks at names and descriptions. Try fewer letters.
        </EmptyState>
      )}
      {!found.error && !none && (
        <WorkflowTable
          rows={rows}
          loading={found.isPending}
          more={found.hasNextPage ? () => void found.fetchNextPage() : undefined}
        />
      )}
      <NewWorkflowModal opened={making === true} onClose={close} />
    </Page>
  );
}

/** The field answers at once; the address, and with it the list, follow when typing pauses. */
function SearchField({ initial }: { initial: string }) {
  const navigate = useNavigate();
  const [typed, setTyped] = useState(initial);
  const search = useDebouncedCallback((text: string) => {
    void navigate({ to: "/workflows", search: { search: text || undefined }, replace: true });
  }, 200);
  return (
    <TextInput
      aria-label="Search workflows"
      placeholder="Search by name or description"
      leftSection={<IconSearch size={16} stroke={1.7} aria-hidden />}
      value={typed}
      maw={320}
      mb={16}
      onChange={(event) => {
        setTyped(event.currentTarget.value);
        search(event.currentTarget.value.trim());
      }}
    />
  );
}
