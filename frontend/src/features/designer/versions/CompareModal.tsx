import { Button, Group, Modal, Select, Skeleton } from "@mantine/core";
import { IconArrowRight, IconRestore } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { VersionSummary } from "@/api/types";
import { versionDiff } from "@/api/versions";
import { versionList } from "@/api/workflows";
import { ErrorNote } from "@/components/ErrorNote";
import { ago } from "@/format";
import { DiffView } from "./DiffView";

interface Props {
  name: string;
  /** The newest version, as far as this page knows. */
  newest: number;
  /** The version to begin with; null when the dialog is closed. */
  from: number | null;
  onClose: () => void;
  /** Absent for those who may only look. */
  onRestore?: (version: number) => void;
}

/** Two versions side by side, and the older one back again. */
export function CompareModal(props: Props) {
  return (
    <Modal opened={props.from !== null} onClose={props.onClose} title="Compare versions" size={880}>
      {props.from !== null && <Compare key={props.from} {...props} from={props.from} />}
    </Modal>
  );
}

function Compare({ name, newest, from: first, onRestore }: Props & { from: number }) {
  const [from, setFrom] = useState(first);
  const [to, setTo] = useState(newest);
  const versions = useQuery(versionList(name));
  const diff = useQuery(versionDiff(name, from, to));
  const choices = (versions.data?.results ?? []).map((one) => ({
    value: String(one.version),
    label: labelOf(one, newest),
  }));
  return (
    <>
      <Group gap={8} align="end" mb={16}>
        <Select
          label="From"
          flex={1}
          data={choices}
          value={String(from)}
          onChange={(chosen) => setFrom(Number(chosen))}
        />
        <IconArrowRight size={16} aria-hidden style={{ marginBottom: 10 }} />
        <Select
          label="To"
          flex={1}
          data={choices}
          value={String(to)}
          onChange={(chosen) => setTo(Number(chosen))}
        />
        {onRestore && (
          <Button
            variant="default"
            leftSection={<IconRestore size={16} aria-hidden />}
            disabled={from === newest}
            onClick={() => onRestore(from)}
          >
            Restore version {from}
          </Button>
        )}
      </Group>
      {diff.error ? (
        <ErrorNote error={diff.error} onRetry={() => void diff.refetch()} />
      ) : diff.data ? (
        <DiffView diff={diff.data} />
      ) : (
        <Skeleton h={160} />
      )}
    </>
  );
}

function labelOf({ version, created_at, created_by }: VersionSummary, newest: number): string {
  const which = version === newest ? `Version ${version}, the newest` : `Version ${version}`;
  return `${which} · ${created_by ?? "somebody"}, ${ago(created_at)}`;
}
