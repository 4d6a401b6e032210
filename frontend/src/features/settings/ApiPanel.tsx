import { Anchor, Stack, Text } from "@mantine/core";
import { JsonView } from "@/components/JsonView";
import { Section } from "./Section";

function examples(origin: string): { title: string; command: string }[] {
  const auth = '-H "Authorization: Token $AGENTAINER_TOKEN"';
  return [
    { title: "List workflows", command: `curl ${auth} \\\n  ${origin}/api/v1/workflows/` },
    {
      title: "Start a run",
      command: `curl -X POST ${auth} \\\n  -H "Content-Type: application/json" -d '{"params": {}}' \\\n  ${origin}/api/v1/workflows/NAME/runs/`,
    },
    { title: "Look at pools", command: `curl ${auth} \\\n  ${origin}/api/v1/pools/` },
  ];
}

export function ApiPanel() {
  const origin = window.location.origin;
  return (
    <>
      <Section
        title="Token"
        about="Programs sign in with a token of one team. It is never shown here: whoever has it can do what you can."
      >
        <Stack gap={8}>
          <Text>
            The first start wrote a token to <code>.aflow/credentials.json</code>, in the directory where{" "}
            <code>./aflow up</code> runs. Put it into the environment:
          </Text>
          <JsonView
            label="the command"
            value={`export AGENTAINER_URL=${origin}\nexport AGENTAINER_TOKEN=$(python3 -c "import json; print(json.load(open('.aflow/credentials.json'))['token'])")`}
          />
        </Stack>
      </Section>
      <Section title="With curl" about="Everything that this application does goes through the same API.">
        <Stack gap={16}>
          {examples(origin).map(({ title, command }) => (
            <div key={title}>
              <Text fw={500} mb={4}>
                {title}
              </Text>
              <JsonView label={title} value={command} />
            </div>
          ))}
        </Stack>
      </Section>
      <Section title="Reference" about="Every address, with its fields.">
        <Stack gap={8}>
          <Anchor href="/docs/">Documentation</Anchor>
          <Anchor href="/api/v1/docs/">Interactive documentation</Anchor>
          <Anchor href="/api/v1/schema/">OpenAPI description</Anchor>
          <Anchor href="/api/v1/schemas/workflow.json">JSON Schema of the workflow document</Anchor>
        </Stack>
      </Section>
    </>
  );
}
