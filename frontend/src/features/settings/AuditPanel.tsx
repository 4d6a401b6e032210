import { Group, HoverCard, Table, Text, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { IconClipboardList } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useRefusal } from "@/api/me";
import { type AuditFilters, auditList } from "@/api/teams";
import type { AuditEntry } from "@/api/types";
import { EmptyState } from "@/components/EmptyState";
import { ErrorNote } from "@/components/ErrorNote";
import { JsonView } from "@/components/JsonView";
import { ShowMore } from "@/components/ShowMore";
import { RowsSkeleton } from "@/features/runs/RowsSkeleton";
import { shortId } from "@/format";
import { Ago } from "@/format/Ago";
import classes from "./Audit.module.css";

const UUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

const FIELDS = [
  { name: "actor", label: "Who", placeholder: "ada" },
  { name: "action", label: "What", placeholder: "workflow.saved" },
  { name: "target", label: "On what", placeholder: "workflow/nightly" },
] as const;

/** Who did what, to what, from where: the newest first. */
export function AuditPanel() {
  const refusal = useRefusal("operator");
  if (refusal) return <Text c="dimmed">{refusal} Entries tell people's addresses.</Text>;
  return <Filtered />;
}

function Filtered() {
  const { actor, action, target } = useSearch({ from: "/settings" });
  const filters: AuditFilters = { actor, action, target };
  return (
    <>
      <Filters filters={filters} />
      <AuditEntries filters={filters} />
    </>
  );
}

export function AuditEntries({ filters }: { filters: AuditFilters }) {
  const entries = useInfiniteQuery(auditList(filters));
  const rows = entries.data?.pages.flatMap((page) => page.results) ?? [];
  const filtered = Object.values(filters).some(Boolean);
  return (
    <>
      {entries.error && <ErrorNote error={entries.error} onRetry={() => void entries.refetch()} />}
      {entries.isPending && <RowsSkeleton rows={6} />}
      {entries.data && rows.length === 0 && (
        <EmptyState
          icon={IconClipboardList}
          title={filtered ? "No entry fits these filters" : "Nothing has been done yet"}
        >
          Whatever people and programs change is written down here: what, on what, and from which address.
        </EmptyState>
      )}
      {rows.length > 0 && (
        <div className={classes.card}>
          <Table.ScrollContainer minWidth={640} type="native">
            <Table aria-label="Audit log">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>When</Table.Th>
                  <Table.Th>Who</Table.Th>
                  <Table.Th>What</Table.Th>
                  <Table.Th w="40%">On what</Table.Th>
                  <Table.Th>From</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {rows.map((entry) => (
                  <EntryRow key={entry.id} entry={entry} />
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        </div>
      )}
      <ShowMore list={entries} mt={16}>
        Show older entries
      </ShowMore>
    </>
  );
}

function Filters({ filters }: { filters: AuditFilters }) {
  const navigate = useNavigate();
  const set = useDebouncedCallback((change: AuditFilters) => {
    void navigate({
      to: "/settings",
      search: (before) => ({ ...before, tab: "audit", ...change }),
      replace: true,
    });
  }, 250);
  return (
    <Group gap={8} mb={16}>
      {FIELDS.map(({ name, label, placeholder }) => (
        <TextInput
          key={name}
          aria-label={label}
          placeholder={`${label}: ${placeholder}`}
          w={220}
          defaultValue={filters[name] ?? ""}
          onChange={(event) => set({ [name]: event.currentTarget.value.trim() || undefined })}
        />
      ))}
    </Group>
  );
}

function EntryRow({ entry }: { entry: AuditEntry }) {
  const told = Object.keys(entry.details ?? {}).length > 0;
  return (
    <Table.Tr>
      <Table.Td className={classes.quiet}>
        <Ago at={entry.at} />
      </Table.Td>
      <Table.Td>{entry.actor || "the platform"}</Table.Td>
      <Table.Td>
        {told ? (
          <HoverCard position="bottom-start" width={360} openDelay={200}>
            <HoverCard.Target>
              <button type="button" className={classes.told}>
                <code>{entry.action}</code>
              </button>
            </HoverCard.Target>
            <HoverCard.Dropdown>
              <JsonView value={entry.details} label="details" maxHeight={280} />
            </HoverCard.Dropdown>
          </HoverCard>
        ) : (
          <code>{entry.action}</code>
        )}
      </Table.Td>
      <Table.Td className={classes.target} title={entry.target}>
        {entry.target.replace(UUID, shortId)}
      </Table.Td>
      <Table.Td className={classes.quiet}>
        {entry.via}
        {entry.address && ` · ${entry.address}`}
      </Table.Td>
    </Table.Tr>
  );
}
