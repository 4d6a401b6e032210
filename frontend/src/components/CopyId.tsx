import { CopyButton, Tooltip, UnstyledButton } from "@mantine/core";
import { IconCheck, IconCopy } from "@tabler/icons-react";
import { shortId } from "@/format";
import classes from "./CopyId.module.css";

/** An id: short, mono, copied with one click. `full` shows all of it. */
export function CopyId({ id, full = false }: { id: string; full?: boolean }) {
  return (
    <CopyButton value={id} timeout={1200}>
      {({ copied, copy }) => (
        <Tooltip label={copied ? "Copied" : `Copy ${id}`}>
          <UnstyledButton
            className={classes.id}
            aria-label={`Copy id ${full ? id : shortId(id)}`}
            onClick={(event) => {
              event.preventDefault();
              event.stopPropagation();
              copy();
            }}
          >
            {full ? id : shortId(id)}
            {copied ? <IconCheck size={12} aria-hidden /> : <IconCopy size={12} aria-hidden />}
          </UnstyledButton>
        </Tooltip>
      )}
    </CopyButton>
  );
}
