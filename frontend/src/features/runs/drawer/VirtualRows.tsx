import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useEffect, useRef } from "react";
import classes from "./Drawer.module.css";

interface Props<Row> {
  label: string;
  rows: Row[];
  /** Pixels; rows that wrap are measured. */
  rowHeight: number;
  keyOf: (row: Row) => string | number;
  /** Called when the last rows come into view, to load more; leave out when there are none. */
  onEnd?: () => void;
  /** Keeps the end in view while rows are added there. */
  follow?: boolean;
  children: (row: Row) => ReactNode;
}

const NEAR_END = 20;

/** A long list of which only the rows in view are in the page. */
export function VirtualRows<Row>({ label, rows, rowHeight, keyOf, onEnd, follow, children }: Props<Row>) {
  const box = useRef<HTMLElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => rowHeight,
    getItemKey: (index) => keyOf(rows[index] as Row),
    overscan: 10,
  });
  const shown = virtual.getVirtualItems();
  const last = shown.at(-1)?.index ?? 0;
  const nearEnd = last >= rows.length - NEAR_END;
  useEffect(() => {
    if (nearEnd) onEnd?.();
  }, [nearEnd, onEnd]);
  useEffect(() => {
    if (follow && rows.length > 0) virtual.scrollToIndex(rows.length - 1, { align: "end" });
  }, [follow, rows.length, virtual]);
  return (
    <section ref={box} className={classes.rows} aria-label={label} tabIndex={0}>
      <ul className={classes.sizer} style={{ height: virtual.getTotalSize() }}>
        {shown.map((place) => (
          <li
            key={place.key}
            ref={virtual.measureElement}
            data-index={place.index}
            aria-setsize={onEnd ? -1 : rows.length}
            aria-posinset={place.index + 1}
            className={classes.virtual}
            style={{ transform: `translateY(${place.start}px)` }}
          >
            {children(rows[place.index] as Row)}
          </li>
        ))}
      </ul>
    </section>
  );
}
