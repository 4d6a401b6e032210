import { ScrollArea } from "@mantine/core";
import type { Run } from "@/api/types";
import { JsonView } from "@/components/JsonView";
import { isFinal } from "@/components/states";
import classes from "./Drawer.module.css";

/** What the run gave. */
export function Output({ run }: { run: Run }) {
  if (run.state !== "completed") {
    return (
      <p className={classes.note}>
        {isFinal(run.state)
          ? "The run ended without an output. The steps that finished kept theirs."
          : "The output is known when the run has completed."}
      </p>
    );
  }
  return (
    <ScrollArea h="100%" type="auto" p={16} viewportProps={{ tabIndex: 0, "aria-label": "Output" }}>
      <JsonView value={run.output ?? null} label="output of the run" maxHeight={1_000_000} />
    </ScrollArea>
  );
}
