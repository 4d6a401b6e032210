import { ActionIcon, Badge, Button, Group, Menu, SegmentedControl, Tooltip } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import {
  IconDeviceFloppy,
  IconDots,
  IconDownload,
  IconPlayerPlayFilled,
  IconUpload,
} from "@tabler/icons-react";
import { exportVersion } from "@/api/versions";
import { useDesigner } from "@/canvas/store";
import classes from "./Designer.module.css";
import { VersionsMenu } from "./versions/VersionsMenu";

export type Tab = "canvas" | "document";

interface Props {
  name: string;
  tab: Tab;
  onTab: (tab: Tab) => void;
  saving: boolean;
  starting: boolean;
  onSave: () => void;
  onRun: () => void;
  onView: (version: number) => void;
  onCompare: (from: number) => void;
  onImport: () => void;
}

/** The designer's head: which document this is, how it is looked at, and what one does with it. */
export function DesignerHeader(props: Props) {
  const { name, tab, onTab, saving, starting } = props;
  const dirty = useDesigner((state) => state.dirty);
  const version = useDesigner((state) => state.base.version);
  const locked = useDesigner((state) => state.lockedBecause);
  const empty = useDesigner((state) => state.document.steps.length === 0);
  return (
    <div className={classes.header}>
      <div className={classes.name}>
        <h1 className={classes.title}>{name}</h1>
        <Badge variant="default" radius="sm" className={classes.version}>
          <span className={classes.word}>Version {version}</span>
          <span className={classes.short} aria-hidden>
            v{version}
          </span>
        </Badge>
        <span className={classes.unsaved} role="status" title={dirty ? "Unsaved changes" : undefined}>
          {dirty && <span>Unsaved changes</span>}
        </span>
      </div>
      <SegmentedControl
        size="xs"
        className={classes.tabs}
        aria-label="View"
        value={tab}
        onChange={(chosen) => onTab(chosen as Tab)}
        data={[
          { value: "canvas", label: "Canvas" },
          { value: "document", label: "Document" },
        ]}
      />
      <Group gap={8} wrap="nowrap" justify="flex-end" className={classes.deeds}>
        <VersionsMenu name={name} current={version} onView={props.onView} onCompare={props.onCompare} />
        <MoreMenu name={name} version={version} locked={locked} onImport={props.onImport} />
        <Tooltip label={locked ?? "Ctrl S"} disabled={!dirty && !locked}>
          <Button
            variant="default"
            aria-label="Save"
            className={classes.button}
            leftSection={<IconDeviceFloppy size={16} className={classes.onlyIcon} aria-hidden />}
            disabled={!dirty || locked !== null}
            loading={saving}
            onClick={props.onSave}
          >
            Save
          </Button>
        </Tooltip>
        <Tooltip label={locked ?? (empty ? "Add a step first" : dirty ? "Saves, then runs" : "Ctrl Enter")}>
          <Button
            aria-label="Run"
            className={classes.button}
            leftSection={<IconPlayerPlayFilled size={14} aria-hidden />}
            disabled={empty || locked !== null}
            loading={starting}
            onClick={props.onRun}
          >
            Run
          </Button>
        </Tooltip>
      </Group>
    </div>
  );
}

interface MoreProps {
  name: string;
  version: number;
  locked: string | null;
  onImport: () => void;
}

function MoreMenu({ name, version, locked, onImport }: MoreProps) {
  const take = (format: "yaml" | "json") =>
    exportVersion(name, format, version)
      .then((text) => download(`${name}.v${version}.${format}`, text, `application/${format}`))
      .catch((error: unknown) =>
        notifications.show({ color: "red", title: "Not exported", message: String(error) }),
      );
  return (
    <Menu position="bottom-end" width={240}>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size={36} aria-label="More">
          <IconDots size={18} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>Version {version}, as it was saved</Menu.Label>
        <Menu.Item leftSection={<IconDownload size={16} aria-hidden />} onClick={() => void take("yaml")}>
          Export YAML
        </Menu.Item>
        <Menu.Item leftSection={<IconDownload size={16} aria-hidden />} onClick={() => void take("json")}>
          Export JSON
        </Menu.Item>
        <Menu.Divider />
        <Menu.Item
          leftSection={<IconUpload size={16} aria-hidden />}
          disabled={locked !== null}
          title={locked ?? undefined}
          onClick={onImport}
        >
          Import …
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

function download(file: string, text: string, type: string): void {
  const link = window.document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = file;
  link.click();
  URL.revokeObjectURL(link.href);
}
