import { Button, Text, Title } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { me, useStaffRefusal } from "@/api/me";
import { nodeGroupList } from "@/api/nodes";
import type { Node } from "@/api/types";
import { Allowed } from "@/components/Allowed";
import { ErrorNote } from "@/components/ErrorNote";
import { RowsSkeleton } from "@/features/runs/RowsSkeleton";
import { GroupCard } from "./GroupCard";
import { GroupModal } from "./GroupModal";
import classes from "./Groups.module.css";

/** What of the page stands in the address: the group that is made or edited. */
interface NodesSearch {
  edit?: string;
  new?: true;
}

/** Groups of rented machines: for the platform's staff, as what they cost is paid by all teams. */
export function NodeGroups({ nodes }: { nodes: Node[] }) {
  const search = useSearch({ strict: false }) as NodesSearch;
  const navigate = useNavigate();
  const refusal = useStaffRefusal();
  const known = useQuery(me).data !== undefined;
  const groups = useQuery({ ...nodeGroupList, enabled: known && refusal === null });
  const set = (change: NodesSearch) =>
    void navigate({ to: ".", search: change as never, resetScroll: false });
  const rows = groups.data?.results ?? [];
  const problem = groups.data?.problem ?? null;
  const edited = rows.find(({ name }) => name === search.edit);
  return (
    <section className={classes.section} aria-label="Node groups">
      <header className={classes.head}>
        <div>
          <Title order={2}>Node groups</Title>
          <Text c="dimmed" mt={4} mb={16} maw={640}>
            Machines that are rented as agents need them, and given back when they have been empty for a
            while. No lease is ended for it.
          </Text>
        </div>
        <Allowed refusal={refusal ?? problem}>
          {(may) => (
            <Button
              {...may}
              disabled={may.disabled || !groups.data}
              leftSection={<IconPlus size={16} aria-hidden />}
              onClick={() => set({ new: true })}
            >
              New group
            </Button>
          )}
        </Allowed>
      </header>
      {refusal && <Text c="dimmed">{refusal} Node groups are shown to the platform’s staff alone.</Text>}
      {groups.error && <ErrorNote error={groups.error} onRetry={() => void groups.refetch()} />}
      {groups.isLoading && <RowsSkeleton rows={2} />}
      {groups.data && rows.length === 0 && (
        <Text c="dimmed">{problem ?? "There is none: nodes are those that the container engine has."}</Text>
      )}
      <div className={classes.cards}>
        {rows.map((group) => (
          <GroupCard key={group.name} group={group} nodes={nodes} onEdit={() => set({ edit: group.name })} />
        ))}
      </div>
      {search.new && groups.data && <GroupModal onClose={() => set({})} />}
      {edited && <GroupModal group={edited} onClose={() => set({})} />}
    </section>
  );
}
