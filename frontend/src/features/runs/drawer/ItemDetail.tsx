import { ActionIcon, ScrollArea, Title } from "@mantine/core";
import { IconX } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { itemList } from "@/api/runs";
import type { Step } from "@/api/types";
import { CopyId } from "@/components/CopyId";
import { JsonView } from "@/components/JsonView";
import { StateBadge } from "@/components/StateBadge";
import { count, duration } from "@/format";
import { Ago } from "@/format/Ago";
import { Fact, Facts } from "../inspector/Facts";
import { FailureText } from "../inspector/FailureText";
import { WhyNote } from "../waiting/WhyNote";
import inspector from "../inspector/Inspector.module.css";
import { useBatchSize } from "./batches";
import classes from "./Drawer.module.css";

interface Props {
  id: string;
  step: Step;
  state: string;
  index: number;
  onClose: () => void;
}

/** One item of a map: what it took and gave, and why it failed. */
export function ItemDetail({ id, step, state, index, onClose }: Props) {
  const items = useInfiniteQuery(itemList(id, step.id, state));
  const item = items.data?.pages.flatMap((page) => page.results).find((one) => one.index === index);
  const batch = useBatchSize(id, step.id);
  return (
    <aside className={classes.detail} aria-label={`Item ${index}`}>
      <div className={classes.detailHead}>
        <Title order={3}>Item {count(index)}</Title>
        {item && <StateBadge state={item.state} />}
        <ActionIcon variant="subtle" color="gray" ml="auto" aria-label="Close the item" onClick={onClose}>
          <IconX size={16} />
        </ActionIcon>
      </div>
      <ScrollArea
        className={classes.detailBody}
        type="auto"
        viewportProps={{ tabIndex: 0, "aria-label": "Item" }}
      >
        {!item && (
          <>
            <p className={inspector.none}>Item {count(index)} is not among the items listed here.</p>
            <WhyNote run={id} step={step.id} item={index} state={step.state} />
          </>
        )}
        {item && (
          <>
            {["queued", "pending", "waiting"].includes(item.state) && (
              <WhyNote run={id} step={step.id} item={index} state={item.state} />
            )}
            {item.error && <FailureText of={`item ${index}`} failure={item.error} />}
            <Facts>
              <Fact name="Attempts">{count(item.attempts)}</Fact>
              <Fact name="Duration">
                {duration(item.duration_ms)}
                {batch && <span className={inspector.none}> (a call of up to {count(batch)} items)</span>}
              </Fact>
              <Fact name="Started">
                <Ago at={item.started_at} />
              </Fact>
              <Fact name="Agent">{item.agent ? <CopyId id={item.agent} /> : "–"}</Fact>
            </Facts>
            <Title order={3} className={inspector.section}>
              Input
            </Title>
            <JsonView value={item.input ?? null} label={`input of item ${index}`} maxHeight={200} />
            {item.state === "completed" && (
              <>
                <Title order={3} className={inspector.section}>
                  Output
                </Title>
                <JsonView value={item.output ?? null} label={`output of item ${index}`} maxHeight={240} />
              </>
            )}
          </>
        )}
      </ScrollArea>
    </aside>
  );
}
