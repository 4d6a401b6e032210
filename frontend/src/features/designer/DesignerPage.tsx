/**
 * /workflows/NAME: the canvas and the document of one workflow.
 * The server's document is loaded once; from then on the store holds what is edited, until it is saved.
 */
import { Button, Skeleton } from "@mantine/core";
import { modals } from "@mantine/modals";
import { notifications } from "@mantine/notifications";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useCallback, useState } from "react";
import { useStore } from "zustand";
import { mayAs, me } from "@/api/me";
import type { WorkflowDetail } from "@/api/types";
import { workflowDetail } from "@/api/workflows";
import { DesignerProvider, type DesignerStore } from "@/canvas/store";
import { ErrorNote } from "@/components/ErrorNote";
import { Page } from "@/shell/Page";
import classes from "./Designer.module.css";
import { DesignerHeader, type Tab } from "./DesignerHeader";
import { DOCUMENT_TEXT } from "./DocumentTab";
import { ImportModal } from "./ImportModal";
import { LeaveGuard } from "./LeaveGuard";
import { TabGuard } from "./TabGuard";
import { useAddress } from "./useAddress";
import { type Saving, useSave } from "./useSave";
import { isUnsaved, type Restored, useDrafts, useSession, useValidation } from "./useSession";
import { useStartRun } from "./useStartRun";
import { CompareModal } from "./versions/CompareModal";
import { ConflictDialog } from "./versions/ConflictDialog";
import { VersionView } from "./versions/VersionView";
import { Workbench } from "./Workbench";

const ONLY_LOOKS = "You are a viewer of this team: editors can change this workflow and run it.";

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
          locked={mayAs(person.data.team.role, "editor") ? null : ONLY_LOOKS}
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

interface DesignerProps {
  detail: WorkflowDetail;
  team: string;
  /** Why this person may only look; null for those who may edit. */
  locked: string | null;
}

function Designer({ detail, team, locked }: DesignerProps) {
  const { name } = detail;
  const { store, restored } = useSession(detail, team, locked);
  const search = useSearch({ from: "/workflows/$name" });
  const navigate = useNavigate({ from: "/workflows/$name" });
  const saving = useSave(store, name);
  const { save, saveAs } = saving;
  const { start, starting } = useStartRun(store, name, save);
  const [compared, setCompared] = useState<number | null>(null);
  const [importing, setImporting] = useState(false);
  const newest = useStore(store, (state) => state.base.version);
  useDrafts(store, team);
  useValidation(store);
  useAddress(store);

  const tab: Tab = search.tab === "document" ? "document" : "canvas";
  const { onTab, guard } = useTabs(store, tab);
  const view = useCallback(
    (version?: number) =>
      void navigate({ search: (now) => ({ ...now, version, step: undefined, loop: undefined }) }),
    [navigate],
  );
  const onSave = useCallback(() => void save(), [save]);
  const onRun = useCallback(() => void start(), [start]);
  const restore = useRestore(store, saving, () => {
    setCompared(null);
    view();
  });
  const shared = (
    <>
      <LeaveGuard store={store} save={save} />
      <ConflictDialog saving={saving} />
      <CompareModal
        name={name}
        newest={newest}
        from={compared}
        onClose={() => setCompared(null)}
        onRestore={locked ? undefined : restore}
      />
    </>
  );

  if (search.version !== undefined) {
    return (
      <div className={classes.designer}>
        {shared}
        <VersionView
          name={name}
          version={search.version}
          tab={tab}
          onTab={onTab}
          onBack={() => view()}
          onCompare={setCompared}
          onRestore={locked ? undefined : restore}
        />
      </div>
    );
  }
  return (
    <DesignerProvider value={store}>
      <div className={classes.designer}>
        {shared}
        {guard}
        <ImportModal
          opened={importing}
          name={name}
          onClose={() => setImporting(false)}
          onOpen={(document) => store.getState().apply(() => document)}
          onSave={saveAs}
        />
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
                onCompare={setCompared}
                onImport={() => setImporting(true)}
              />
              {locked && (
                <div className={classes.banner} role="note">
                  <span>{locked}</span>
                </div>
              )}
              {restored && <RestoredNote store={store} restored={restored} />}
            </>
          }
        />
      </div>
    </DesignerProvider>
  );
}

/** Changing over between canvas and document; asks first when text would stay behind that is no document. */
function useTabs(store: DesignerStore, tab: Tab) {
  const navigate = useNavigate({ from: "/workflows/$name" });
  const [asking, setAsking] = useState<Tab | null>(null);
  const go = useCallback(
    (chosen: Tab) =>
      void navigate({ search: (now) => ({ ...now, tab: chosen === "canvas" ? undefined : chosen }) }),
    [navigate],
  );
  const onTab = useCallback(
    (chosen: Tab) => {
      if (tab === "document" && chosen !== tab && store.getState().unreadable[DOCUMENT_TEXT])
        setAsking(chosen);
      else go(chosen);
    },
    [go, store, tab],
  );
  const guard = (
    <TabGuard
      store={store}
      opened={asking !== null}
      onStay={() => setAsking(null)}
      onLeave={() => {
        if (asking) go(asking);
        setAsking(null);
      }}
    />
  );
  return { onTab, guard };
}

/** Restoring takes the place of what is on the canvas, so unsaved changes are spoken of first. */
function useRestore(store: DesignerStore, { restore }: Saving, onDone: () => void) {
  return (version: number) => {
    const go = () =>
      void restore(version).then((done) => {
        if (!done) return;
        notifications.show({
          message: `Version ${version} is back, as version ${store.getState().base.version}.`,
        });
        onDone();
      });
    if (!store.getState().dirty) return go();
    modals.openConfirmModal({
      title: `Restore version ${version}?`,
      children: "Your unsaved changes leave the canvas. Undo brings them back.",
      labels: { confirm: "Restore", cancel: "Cancel" },
      onConfirm: go,
    });
  };
}

interface NoteProps {
  store: DesignerStore;
  restored: Restored;
}

/** Says that unsaved changes of an earlier visit are on the canvas, and how to be rid of them. */
function RestoredNote({ store, restored }: NoteProps) {
  const [seen, setSeen] = useState(false);
  const { version, newest } = restored;
  const still = useStore(store, (state) => isUnsaved(state) && state.base.version === version);
  if (seen || !still) return null;
  const discard = () => {
    const { base, apply, unreadable, setUnreadable } = store.getState();
    apply(() => base.document);
    for (const key of Object.keys(unreadable)) setUnreadable(key, null);
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
