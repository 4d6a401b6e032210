import { Tabs } from "@mantine/core";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { PageHeader } from "@/components/PageHeader";
import { Page } from "@/shell/Page";
import { AboutPanel } from "./AboutPanel";
import { AlertsPanel } from "./alerts/AlertsPanel";
import { ApiPanel } from "./ApiPanel";
import { AuditPanel } from "./AuditPanel";
import { PersonPanel } from "./PersonPanel";
import { SecretsPanel } from "./SecretsPanel";
import { TeamPanel } from "./TeamPanel";
import { ThemePanel } from "./ThemePanel";

const panels = [
  { value: "you", label: "You and your teams", Panel: PersonPanel },
  { value: "team", label: "Team", Panel: TeamPanel },
  { value: "secrets", label: "Secrets", Panel: SecretsPanel },
  { value: "alerts", label: "Alerts", Panel: AlertsPanel },
  { value: "audit", label: "Audit", Panel: AuditPanel },
  { value: "appearance", label: "Appearance", Panel: ThemePanel },
  { value: "api", label: "API", Panel: ApiPanel },
  { value: "about", label: "About", Panel: AboutPanel },
];

export default function SettingsPage() {
  const { tab = "you" } = useSearch({ from: "/settings" });
  const navigate = useNavigate();
  const shown = panels.some(({ value }) => value === tab) ? tab : "you";
  return (
    <Page>
      <PageHeader title="Settings" />
      <Tabs
        value={shown}
        onChange={(value) => void navigate({ to: "/settings", search: { tab: value ?? undefined } })}
        keepMounted={false}
      >
        <Tabs.List mb={24}>
          {panels.map(({ value, label }) => (
            <Tabs.Tab key={value} value={value}>
              {label}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {panels.map(({ value, Panel }) => (
          <Tabs.Panel key={value} value={value}>
            <Panel />
          </Tabs.Panel>
        ))}
      </Tabs>
    </Page>
  );
}
