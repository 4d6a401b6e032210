import { ActionIcon, Badge, Button, Group, Menu, SegmentedControl, Tooltip } from "@mantine/core";
import { IconDots, IconDownload, IconPlayerPlayFilled } from "@tabler/icons-react";
import { useDesigner } from "@/canvas/store";
import classes from "./Designer.module.css";
import { VersionsMenu } from "./VersionsMenu";

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
}

/** The designer's head: which document this is, how it is looked at, and what one does with it. */
export function DesignerHeader(props: Props) {
  const { name, tab, onTab, saving, starting } = props;
  const dirty = useDesigner((state) => state.dirty);
  const version = useDesigner((state) => state.base.version);
  const document = useDesigner((state) => state.document);
  const empty = document.steps.length === 0;
  return (
    <div className={classes.header}>
      <Group gap={8} wrap="nowrap" miw={0}>
        <h1 className={classes.title}>{name}</h1>
        <Badge variant="default" radius="sm" className={classes.version}>
          Version {version}
        </Badge>
        <span className={classes.unsaved} role="status">
          {dirty && "Unsaved changes"}
        </span>
      </Group>
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
      <Group gap={8} wrap="nowrap" justify="flex-end">
        <VersionsMenu name={name} current={version} onView={props.onView} />
        <Menu position="bottom-end">
          <Menu.Target>
            <ActionIcon variant="subtle" color="gray" size={36} aria-label="More">
              <IconDots size={18} />
            </ActionIcon>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item
              leftSection={<IconDownload size={16} aria-hidden />}
              onClick={() => download(`${name}.json`, JSON.stringify(document, null, 2))}
            >
              Export JSON
            </Menu.Item>
          </Menu.Dropdown>
        </Menu>
        <Tooltip label="Ctrl S" disabled={!dirty}>
          <Button variant="default" disabled={!dirty} loading={saving} onClick={props.onSave}>
            Save
          </Button>
        </Tooltip>
        <Tooltip label={empty ? "Add a step first" : dirty ? "Saves, then runs" : "Ctrl Enter"}>
          <Button
            leftSection={<IconPlayerPlayFilled size={14} aria-hidden />}
            disabled={empty}
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

function download(file: string, text: string): void {
  const link = window.document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = file;
  link.click();
  URL.revokeObjectURL(link.href);
}
