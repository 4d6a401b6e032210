import { Button, Skeleton, Table, Text } from "@mantine/core";
import { IconChevronDown, IconChevronRight } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useId } from "react";
import { leaseList } from "@/api/pools";
import type { LeaseInfo, Pool } from "@/api/types";
import { CopyId } from "@/components/CopyId";
import { ErrorNote } from "@/components/ErrorNote";
import { Countdown } from "@/features/runs/waiting/Countdown";
import { count, plural, shortId } from "@/format";
import { holderOf } from "./holders";
import classes from "./Pools.module.css";

/** The pool's live leases, folded away until somebody asks; which pool's are open stands in the address. */
export function LeaseList({ pool }: { pool: Pool }) {
  const id = useId();
  const { leases } = useSearch({ strict: false }) as { leases?: string };
  const navigate = useNavigate();
  const open = leases === pool.name;
  const toggle = () =>
    void navigate({
      to: ".",
      search: (current) => ({ ...current, leases: open ? undefined : pool.name }),
      resetScroll: false,
    });
  return (
    <div className={classes.leases}>
      <Button
        variant="subtle"
        color="gray"
        size="xs"
        px={8}
        ml={-8}
        leftSection={
          open ? <IconChevronDown size={14} aria-hidden /> : <IconChevronRight size={14} aria-hidden />
        }
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        onClick={toggle}
      >
        {plural(pool.leases, "live lease")}
      </Button>
      {open && (
        <div id={id}>
          <Leases pool={pool} />
        </div>
      )}
    </div>
  );
}

function Leases({ pool }: { pool: Pool }) {
  const { data, error, refetch } = useQuery(leaseList(pool.name));
  if (error && !data) return <ErrorNote error={error} onRetry={() => void refetch()} />;
  if (!data) return <Skeleton height={72} radius="md" />;
  return (
    <>
      {data.length === 0 ? (
        <Text size="sm" c="dimmed">
          No lease now.
        </Text>
      ) : (
        <Table.ScrollContainer minWidth={520}>
          <Table verticalSpacing={6} aria-label={`Live leases of ${pool.name}`}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Agent</Table.Th>
                <Table.Th>Holder</Table.Th>
                <Table.Th title="Grows with every lease; what an older one writes is refused">Fence</Table.Th>
                <Table.Th title="Unless its holder keeps it: then this moves on">Expires</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {data.map((lease) => (
                <Row key={`${lease.agent} ${lease.fence}`} lease={lease} />
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
      {pool.shares.length > 0 && (
        <Text size="sm" c="dimmed" mt={8}>
          Leases of other teams are not listed.
        </Text>
      )}
    </>
  );
}

function Row({ lease }: { lease: LeaseInfo }) {
  const { run, words } = holderOf(lease.holder);
  return (
    <Table.Tr>
      <Table.Td>
        <CopyId id={lease.agent} />
      </Table.Td>
      <Table.Td title={lease.holder}>
        {run && (
          <>
            <Link to="/runs/$id" params={{ id: run }} className={classes.link}>
              run {shortId(run)}
            </Link>
            {", "}
          </>
        )}
        {words}
      </Table.Td>
      <Table.Td className="tabular">{count(lease.fence)}</Table.Td>
      <Table.Td>
        <Countdown to={lease.expires_at} />
      </Table.Td>
    </Table.Tr>
  );
}
