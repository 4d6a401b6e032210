import { Anchor, Group, Stack, Text } from "@mantine/core";
import { Mark } from "@/shell/Mark";
import { Section } from "./Section";

export function AboutPanel() {
  return (
    <Section title="Agentainer Flow" about="Workflows on pools of warm containers.">
      <Stack gap={16}>
        <Group gap={12}>
          <Mark size={32} />
          <Text>
            Steps do not pay for a container's start: they lease a warm agent from a pool, and give it back.
          </Text>
        </Group>
        <Group gap={24}>
          <Anchor href="/readyz">Readiness of this server</Anchor>
          <Anchor href="/metrics">Metrics</Anchor>
          <Anchor href="/admin/">Operator's console</Anchor>
        </Group>
      </Stack>
    </Section>
  );
}
