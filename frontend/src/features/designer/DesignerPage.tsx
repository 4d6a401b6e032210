/**
 * /workflows/NAME: the canvas and the document of one workflow.
 * The server's document is loaded once; from then on the store holds what is edited, until it is saved.
 */
import { Button, Skeleton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useCallback, useEffect, useState } from "react";
import { useStore } from "zustand";
import { me } from "@/api/me";
import type { WorkflowDetail } from "@/api/types";
import { workflowDetail } from "@/api/workflows";
import { findStep } from "@/canvas/document";
import { DesignerProvider, type DesignerStore } from "@/canvas/store";
import { ErrorNote } from "@/components/ErrorNote";
import { Page } from "@/shell/Page";
import { ConflictDialog } from "./ConflictDialog";
import classes from "./Designer.module.css";
import { DesignerHeader, type Tab } from "./DesignerHeader";
import { LeaveGuard } from "./LeaveGuard";
import { useSave } from "./useSave";
import { type Restored, useDrafts, useSession, useValidation } from "./useSession";
import { useStartRun } from "./useStartRun";
import { VersionView } from "./VersionView";
import { Workbench } from "./Workbench";

export default function DesignerPage() {
  const { name } = useParams({ from: "/workflows/$name" });
  const person = useQuery(me);
  // What was loaded earlier may be an old version by now, and one would edit that.
  const workflow = useQuery({ ...workflowDetail(name), refetchOnMount: "always" });
  const error = workflow.error ?? person.error;
  if (error) {
    return (
      <Page>
        <ErrorNote error={error} onRetry={() => void workflow.refetch()} />
      </Page>
    );
  }
  return (
    <Page layout="full">
      {workflow.data && person.data && workflow.isFetchedAfterMount ? (
        <Designer
          key={`${person.data.team.slug}/${name}`}
          detail={workflow.data}
          team={person.data.team.slug}
        />
      ) : (
        <Waiting />
      )}
    </Page>
  );
}

function Waiting() {
  return (
    <div className={classes.designer} aria-busy="true" aria-label="Loading the workflow">
      <div className={classes.header}>
        <Skeleton w={200} h={20} />
      </div>
      <Skeleton flex={1} radius={0} />
    </div>
  );
}

function Designer({ detail, team }: { detail: WorkflowDetail; team: string }) {
  const { name } = detail;
  const { store, restored } = useSession(detail, team);
  const search = useSearch({ from: "/workflows/$name" });
  const navigate = useNavigate({ from: "/workflows/$name" });
  const saving = useSave(store, name);
  const { save } = saving;
  const { start, starting } = useStartRun(store, name, save);
  useDrafts(store, team);
  useValidation(store);
  useSelectionInAddress(store);

  const tab: Tab = search.tab === "document" ? "document" : "canvas";
  const onTab = useCallback(
    (chosen: Tab) =>
      void navigate({ search: (now) => ({ ...now, tab: chosen === "canvas" ? undefined : chosen }) }),
    [navigate],
  );
  const view = useCallback(
    (version?: number) => void navigate({ search: (now) => ({ ...now, version, step: undefined }) }),
    [navigate],
  );
  const onSave = useCallback(() => void save(), [save]);
  const onRun = useCallback(() => void start(), [start]);

  if (search.version !== undefined) {
    return (
      <div className={classes.designer}>
        <LeaveGuard store={store} save={save} />
        <VersionView
          name={name}
          version={search.version}
          tab={tab}
          onTab={onTab}
          onBack={() => view()}
          onRestore={(document) => {
            store.getState().apply(() => document);
            view();
          }}
        />
      </div>
    );
  }
  return (
    <DesignerProvider value={store}>
      <div className={classes.designer}>
        <LeaveGuard store={store} save={save} />
        <ConflictDialog saving={saving} />
        <Workbench
          tab={tab}
          onTab={onTab}
          onSave={onSave}
          onRun={onRun}
          header={
            <>
              <DesignerHeader
                name={name}
                tab={tab}
                onTab={onTab}
                saving={saving.busy}
                starting={starting}
                onSave={onSave}
                onRun={onRun}
                onView={view}
              />
              {restored && <RestoredNote store={store} restored={restored} />}
            </>
          }
        />
      </div>
    </DesignerProvider>
  );
}

interface NoteProps {
  store: DesignerStore;
  restored: Restored;
}

/** Says that unsaved changes of an earlier visit are on the canvas, and how to be rid of them. */
function RestoredNote({ store, restored }: NoteProps) {
  const [seen, setSeen] = useState(false);
  const { version, newest } = restored;
  const still = useStore(store, (state) => state.dirty && state.base.version === version);
  if (seen || !still) return null;
  const discard = () => {
    const { base, apply } = store.getState();
    apply(() => base.document);
    setSeen(true);
  };
  return (
    <div className={classes.banner} role="status">
      <span>
        Your unsaved changes are back.
        {version !== newest && ` You made them on version ${version}; version ${newest} was saved since.`}
      </span>
      <Button size="compact-sm" variant="subtle" onClick={discard}>
        Discard them
      </Button>
      <Button size="compact-sm" variant="subtle" onClick={() => setSeen(true)}>
        Keep
      </Button>
    </div>
  );
}

/** The selected step stands in the address, so that a link leads to it. */
function useSelectionInAddress(store: DesignerStore): void {
  const { step, version } = useSearch({ from: "/workflows/$name" });
  const navigate = useNavigate({ from: "/workflows/$name" });
  const selected = useStore(store, (state) => (state.selected.length === 1 ? state.selected[0] : undefined));

  useEffect(() => {
    const { document, select, selected: now } = store.getState();
    if (step && now.length === 0 && findStep(document, step)) select([step]);
    // Only when the page opens: from then on the selection leads, and the address follows.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [store]);

  useEffect(() => {
    if (version !== undefined || selected === step) return;
    void navigate({
      search: (now) => ({ ...now, step: selected }),
      replace: true,
      resetScroll: false,
    });
  }, [selected, step, version, navigate]);
}
