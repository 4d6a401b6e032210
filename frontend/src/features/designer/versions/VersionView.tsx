import { Button, Skeleton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import type { Version } from "@/api/types";
import { versionDetail } from "@/api/workflows";
import { createDesignerStore, DesignerProvider } from "@/canvas/store";
import { ErrorNote } from "@/components/ErrorNote";
import { Ago } from "@/format/Ago";
import classes from "../Designer.module.css";
import type { Tab } from "../DesignerHeader";
import { drawable } from "../useSession";
import { Workbench } from "../Workbench";

interface Props {
  name: string;
  version: number;
  tab: Tab;
  onTab: (tab: Tab) => void;
  onBack: () => void;
  onCompare: (from: number) => void;
  /** Absent for those who may only look. */
  onRestore?: (version: number) => void;
}

const nothing = () => undefined;

/** An old version as it was; restoring makes a new version of it. */
export function VersionView(props: Props) {
  const { data, error, refetch } = useQuery(versionDetail(props.name, props.version));
  if (error) return <ErrorNote error={error} onRetry={() => void refetch()} />;
  if (!data) return <Skeleton h="100%" radius={0} />;
  return <OldVersion {...props} found={data} />;
}

function OldVersion({ found, name, tab, onTab, onBack, onCompare, onRestore }: Props & { found: Version }) {
  const document = useMemo(() => drawable(found, name), [found, name]);
  const store = useMemo(
    () => createDesignerStore({ document, version: found.version, etag: "" }, true),
    [document, found.version],
  );
  return (
    <DesignerProvider value={store}>
      <Workbench
        key={found.version}
        tab={tab}
        onTab={onTab}
        onSave={nothing}
        onRun={nothing}
        header={
          <div className={classes.banner}>
            <span>
              <b>Version {found.version}</b> by {found.created_by}, <Ago at={found.created_at} />. It cannot
              be changed.
            </span>
            <Button size="compact-sm" variant="subtle" onClick={onBack}>
              Back to the newest
            </Button>
            <Button size="compact-sm" variant="subtle" onClick={() => onCompare(found.version)}>
              Compare with the newest
            </Button>
            {onRestore && (
              <Button size="compact-sm" onClick={() => onRestore(found.version)}>
                Restore
              </Button>
            )}
          </div>
        }
      />
    </DesignerProvider>
  );
}
