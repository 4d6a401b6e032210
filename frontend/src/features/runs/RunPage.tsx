import { useMediaQuery } from "@mantine/hooks";
import { useParams } from "@tanstack/react-router";
import { Group, Panel, Separator, useDefaultLayout } from "react-resizable-panels";
import { ErrorNote } from "@/components/ErrorNote";
import { useRunFeed, useRunLive } from "@/realtime/run/useRunFeed";
import { Page } from "@/shell/Page";
import { Drawer } from "./drawer/Drawer";
import { FailureBanner } from "./FailureBanner";
import { RunGraph } from "./graph/RunGraph";
import { Inspector } from "./inspector/Inspector";
import { RowsSkeleton } from "./RowsSkeleton";
import { RunHeader } from "./RunHeader";
import classes from "./RunPage.module.css";
import { Banners } from "./waiting/Banners";

/** One run, live: its graph, the chosen step beside it, and what happened below. */
export default function RunPage() {
  const { id } = useParams({ strict: false }) as { id: string };
  useRunFeed(id);
  const narrow = useMediaQuery("(max-width: 900px)", false, { getInitialValueInEffect: false });
  const { data, error, refetch } = useRunLive(id);
  if (!data) {
    return (
      <Page>
        {error ? <ErrorNote error={error} onRetry={() => void refetch()} /> : <RowsSkeleton rows={6} />}
      </Page>
    );
  }
  return (
    <Page layout="full">
      <div className={classes.page} data-narrow={narrow || undefined}>
        <RunHeader run={data.run} steps={data.steps} />
        <FailureBanner run={data.run} steps={data.steps} />
        <Banners run={data.run} steps={data.steps} />
        {narrow ? <Stacked id={id} /> : <Panels id={id} />}
      </div>
    </Page>
  );
}

/** One under the other where there is no room beside: the page scrolls. */
function Stacked({ id }: { id: string }) {
  return (
    <div className={classes.stack}>
      <section className={classes.graph} aria-label="Graph">
        <RunGraph id={id} />
      </section>
      <Inspector id={id} />
      <div className={classes.low}>
        <Drawer id={id} />
      </div>
    </div>
  );
}

function Panels({ id }: { id: string }) {
  const outer = useDefaultLayout({ id: "run-outer" });
  const upper = useDefaultLayout({ id: "run-upper" });
  return (
    <Group orientation="vertical" className={classes.panels} {...remembered(outer)}>
      <Panel id="upper" defaultSize="56" minSize="25">
        <Group orientation="horizontal" {...remembered(upper)}>
          <Panel id="graph" defaultSize="66" minSize="30">
            <section className={classes.graph} aria-label="Graph">
              <RunGraph id={id} />
            </section>
          </Panel>
          <Separator className={classes.vertical} aria-label="Resize the inspector" />
          <Panel id="inspector" defaultSize="34" minSize="20">
            <Inspector id={id} />
          </Panel>
        </Group>
      </Panel>
      <Separator className={classes.horizontal} aria-label="Resize the drawer" />
      <Panel id="drawer" defaultSize="44" minSize="15">
        <Drawer id={id} />
      </Panel>
    </Group>
  );
}

function remembered({ defaultLayout, onLayoutChanged }: ReturnType<typeof useDefaultLayout>) {
  return { defaultLayout, onLayoutChanged };
}
