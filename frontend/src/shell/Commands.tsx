import { useMantineColorScheme } from "@mantine/core";
import { Spotlight, type SpotlightActionData, type SpotlightActionGroupData } from "@mantine/spotlight";
import { IconLogout, IconMoon, IconPlayerPlay, IconPlus, IconSearch, IconSitemap } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { workflowList } from "@/api/workflows";
import { openRunModal } from "@/features/workflows/RunModal";
import { usePageCommands } from "./commandRegistry";
import { pages } from "./pages";
import { logOut } from "./session";

const icon = { size: 18, stroke: 1.7, "aria-hidden": true };

/** Ctrl-K: pages, the commands of the page one is on, workflows, and what one can always do. */
export function Commands() {
  const [open, setOpen] = useState(false);
  const navigate = useNavigate();
  const { toggleColorScheme } = useMantineColorScheme();
  const here = usePageCommands();
  const workflows = useInfiniteQuery({ ...workflowList(""), enabled: open, refetchInterval: false });
  const names = workflows.data?.pages.flatMap((page) => page.results) ?? [];

  const goTo: SpotlightActionData[] = pages.map(({ to, name, about, icon: Icon }) => ({
    id: to,
    label: name,
    description: about,
    leftSection: <Icon {...icon} />,
    onClick: () => void navigate({ to }),
  }));
  const always: SpotlightActionData[] = [
    {
      id: "new-workflow",
      label: "New workflow",
      leftSection: <IconPlus {...icon} />,
      onClick: () => void navigate({ to: "/workflows", search: { new: true } }),
    },
    {
      id: "theme",
      label: "Switch between light and dark",
      leftSection: <IconMoon {...icon} />,
      onClick: toggleColorScheme,
    },
    { id: "log-out", label: "Log out", leftSection: <IconLogout {...icon} />, onClick: logOut },
  ];
  const opening = names.map((workflow) => ({
    id: `open-${workflow.name}`,
    label: workflow.name,
    description: workflow.description || "Open the workflow",
    leftSection: <IconSitemap {...icon} />,
    onClick: () => void navigate({ to: "/workflows/$name", params: { name: workflow.name } }),
  }));
  const runnable = names.filter((workflow) => workflow.steps > 0);
  const running = runnable.map((workflow) => ({
    id: `run-${workflow.name}`,
    label: `Run ${workflow.name}`,
    leftSection: <IconPlayerPlay {...icon} />,
    onClick: () => openRunModal({ workflow: workflow.name }),
  }));
  const groups: SpotlightActionGroupData[] = [
    { group: "This page", actions: here },
    { group: "Pages", actions: goTo },
    { group: "Workflows", actions: [...opening, ...running] },
    { group: "Actions", actions: always },
  ];

  return (
    <Spotlight
      actions={groups.filter((group) => group.actions.length > 0)}
      shortcut="mod + K"
      highlightQuery
      scrollable
      overlayProps={{ blur: 0, backgroundOpacity: 0.4 }}
      maxHeight={440}
      nothingFound="Nothing has that name."
      onSpotlightOpen={() => setOpen(true)}
      onSpotlightClose={() => setOpen(false)}
      searchProps={{
        leftSection: <IconSearch {...icon} />,
        placeholder: "Search pages, workflows, actions",
        "aria-label": "Search pages, workflows, actions",
      }}
    />
  );
}
