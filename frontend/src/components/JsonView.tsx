import { ActionIcon, CopyButton, ScrollArea, Text, Tooltip } from "@mantine/core";
import { IconCheck, IconCopy } from "@tabler/icons-react";
import { count, pretty } from "@/format";
import classes from "./JsonView.module.css";

const LONGEST = 40_000;

interface Props {
  value: unknown;
  /** What the value is, for those who do not see the page. */
  label: string;
  maxHeight?: number;
}

/** Any JSON value, to read and to copy. Very long ones are shown in part, and copied whole. */
export function JsonView({ value, label, maxHeight = 320 }: Props) {
  const text = typeof value === "string" ? value : pretty(value);
  const long = text.length > LONGEST;
  return (
    <div className={classes.box}>
      <CopyButton value={text} timeout={1200}>
        {({ copied, copy }) => (
          <Tooltip label={copied ? "Copied" : `Copy ${label}`}>
            <ActionIcon
              className={classes.copy}
              variant="subtle"
              color="gray"
              size="sm"
              onClick={copy}
              aria-label={`Copy ${label}`}
            >
              {copied ? <IconCheck size={14} /> : <IconCopy size={14} />}
            </ActionIcon>
          </Tooltip>
        )}
      </CopyButton>
      <ScrollArea.Autosize mah={maxHeight} type="auto" viewportProps={{ tabIndex: 0, "aria-label": label }}>
        <pre className={classes.text}>{long ? text.slice(0, LONGEST) : text}</pre>
      </ScrollArea.Autosize>
      {long && (
        <Text size="xs" c="dimmed" p={8}>
          The first {count(LONGEST)} of {count(text.length)} characters; copying takes all.
        </Text>
      )}
    </div>
  );
}
