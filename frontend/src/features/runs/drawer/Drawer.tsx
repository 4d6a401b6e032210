import { Tabs } from "@mantine/core";
import { useRunLive } from "@/realtime/run/useRunFeed";
import { hasItems } from "../counts";
import { useRunView } from "../useRunView";
import classes from "./Drawer.module.css";
import { Events } from "./Events";
import { Items } from "./Items";
import { Logs } from "./Logs";
import { Output } from "./Output";
import { State } from "./State";
import { Timeline } from "./Timeline";

const TABS = {
  timeline: "Timeline",
  items: "Items",
  logs: "Logs",
  state: "State",
  events: "Events",
  output: "Output",
};

/** What happened in the run, from six sides. */
export function Drawer({ id }: { id: string }) {
  const [view, look] = useRunView();
  const { data } = useRunLive(id);
  if (!data) return null;
  const { run, steps } = data;
  const tab = view.tab && view.tab in TABS ? view.tab : "timeline";
  return (
    <Tabs
      className={classes.drawer}
      value={tab}
      onChange={(next) => look({ tab: next === "timeline" ? undefined : (next ?? undefined) })}
      keepMounted={false}
    >
      <Tabs.List className={classes.tabs}>
        {Object.entries(TABS).map(([value, label]) => (
          <Tabs.Tab key={value} value={value}>
            {label}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      <Tabs.Panel value="timeline" className={classes.panel}>
        <Timeline run={run} steps={steps} />
      </Tabs.Panel>
      <Tabs.Panel value="items" className={classes.panel}>
        <Items id={id} maps={steps.filter(hasItems)} />
      </Tabs.Panel>
      <Tabs.Panel value="logs" className={classes.panel}>
        <Logs run={run} steps={steps} />
      </Tabs.Panel>
      <Tabs.Panel value="state" className={classes.panel}>
        <State run={run} />
      </Tabs.Panel>
      <Tabs.Panel value="events" className={classes.panel}>
        <Events id={id} />
      </Tabs.Panel>
      <Tabs.Panel value="output" className={classes.panel}>
        <Output run={run} />
      </Tabs.Panel>
    </Tabs>
  );
}
