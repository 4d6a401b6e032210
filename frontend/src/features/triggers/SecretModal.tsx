import { Alert, Button, Group, Stack, Text } from "@mantine/core";
import { modals } from "@mantine/modals";
import { IconKey } from "@tabler/icons-react";
import type { Trigger } from "@/api/types";
import { JsonView } from "@/components/JsonView";

const MODAL = "webhook-secret";

/** Shows a webhook's secret, which is told this once, and how a request is signed with it. */
export function openSecretModal(trigger: Trigger): void {
  modals.open({
    modalId: MODAL,
    title: `How to call ${trigger.name}`,
    size: 640,
    children: <Secret trigger={trigger} />,
  });
}

function Secret({ trigger }: { trigger: Trigger }) {
  const url = `${window.location.origin}${trigger.hook}`;
  const header = trigger.kind === "webhook" ? trigger.config.signature_header : null;
  return (
    <Stack gap={16}>
      <Alert
        color="iris"
        variant="light"
        icon={<IconKey size={18} aria-hidden />}
        title="Copy the secret now"
      >
        It is shown this once. Whoever has it can start runs of {trigger.workflow}.
      </Alert>
      <Part title="Address" value={url} />
      <Part title="Secret" value={trigger.secret ?? ""} />
      <Part title="A signed request" value={curlFor(url, trigger.secret ?? "", header ?? undefined)} />
      <Group justify="flex-end">
        <Button onClick={() => modals.close(MODAL)}>I have it</Button>
      </Group>
    </Stack>
  );
}

function Part({ title, value }: { title: string; value: string }) {
  return (
    <div>
      <Text fw={500} size="sm" mb={4}>
        {title}
      </Text>
      <JsonView value={value} label={title.toLowerCase()} />
    </div>
  );
}

/** The signature is HMAC-SHA256 over the time in Unix seconds, a dot, and the body. */
export function curlFor(url: string, secret: string, header = "X-Agentainer-Signature"): string {
  return [
    `SECRET='${secret}'`,
    `BODY='{}'`,
    "NOW=$(date +%s)",
    `SIGNATURE=$(printf '%s.%s' "$NOW" "$BODY" | openssl dgst -sha256 -hmac "$SECRET" | sed 's/^.* //')`,
    "curl -X POST -H 'Content-Type: application/json' \\",
    `  -H "X-Agentainer-Timestamp: $NOW" -H "${header}: sha256=$SIGNATURE" \\`,
    `  -d "$BODY" ${url}`,
  ].join("\n");
}
