import { SegmentedControl, Stack, Text } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { alertList, type AlertsShown } from "@/api/alerts";
import type { Alert } from "@/api/types";
import { ErrorNote } from "@/components/ErrorNote";
import { ShowMore } from "@/components/ShowMore";
import { StateBadge } from "@/components/StateBadge";
import { RowsSkeleton } from "@/features/runs/RowsSkeleton";
import { Ago } from "@/format/Ago";
import { Section } from "../Section";
import classes from "./Alerts.module.css";
import { Channels } from "./Channels";

/** What of the panel stands in the address: which alerts are shown, and the channel that is added or edited. */
export interface AlertsSearch {
  alerts?: string;
  edit?: string;
}

/** What the team is alerted of, and where that goes. */
export function AlertsPanel() {
  const search = useSearch({ strict: false }) as AlertsSearch;
  const navigate = useNavigate();
  const set = (change: AlertsSearch) =>
    void navigate({ to: ".", search: { ...search, ...change } as never, resetScroll: false });
  const shown: AlertsShown = search.alerts === "all" ? "all" : "open";
  return (
    <>
      <Section
        title="Alerts"
        about="Pools that cannot make agents or are saturated, and budgets that run out. Each is raised once, and resolved by itself when its cause ends."
      >
        <Stack gap={12} align="stretch">
          <SegmentedControl
            aria-label="Alerts shown"
            w="fit-content"
            data={[
              { value: "open", label: "Open" },
              { value: "all", label: "All" },
            ]}
            value={shown}
            onChange={(value) => set({ alerts: value === "all" ? value : undefined })}
          />
          <Alerts shown={shown} />
        </Stack>
      </Section>
      <Channels edited={search.edit} onEdit={(edit) => set({ edit })} />
    </>
  );
}

function Alerts({ shown }: { shown: AlertsShown }) {
  const found = useInfiniteQuery(alertList(shown));
  const rows = found.data?.pages.flatMap((page) => page.results) ?? [];
  return (
    <>
      {found.error && <ErrorNote error={found.error} onRetry={() => void found.refetch()} />}
      {found.isPending && <RowsSkeleton rows={2} />}
      {found.data && rows.length === 0 && (
        <Text c="dimmed">{shown === "open" ? "Nothing is wrong now." : "There was no alert yet."}</Text>
      )}
      {rows.length > 0 && (
        <ul className={classes.rows} aria-label="Alerts">
          {rows.map((alert) => (
            <AlertRow key={alert.id} alert={alert} />
          ))}
        </ul>
      )}
      <ShowMore list={found} w="fit-content">
        Show older alerts
      </ShowMore>
    </>
  );
}

function AlertRow({ alert: { state, sentence, subject, opened_at, resolved_at } }: { alert: Alert }) {
  return (
    <li className={classes.row}>
      <div className={classes.line}>
        <StateBadge state={state} />
        <Subject subject={subject} />
        <span className={`${classes.push} ${classes.quiet}`}>
          <span>
            raised <Ago at={opened_at} />
          </span>
          {resolved_at && (
            <span>
              resolved <Ago at={resolved_at} />
            </span>
          )}
        </span>
      </div>
      <span className={classes.target}>{sentence}</span>
    </li>
  );
}

/** The pool or the budget that it is about, and the way there. */
function Subject({ subject }: { subject: string }) {
  const [kind, ...name] = subject.split("/");
  if (kind === "pool")
    return (
      <Link to="/pools" search={{ pool: name.join("/") }} className={classes.link}>
        {subject}
      </Link>
    );
  return (
    <Link to="/budgets" className={classes.link}>
      {subject}
    </Link>
  );
}
