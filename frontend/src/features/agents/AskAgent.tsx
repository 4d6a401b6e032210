import { Button, Group, Stack, Textarea } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { invokeAgent } from "@/api/agents";
import { keys } from "@/api/keys";
import { useRefusal } from "@/api/me";
import type { DeployedAgent } from "@/api/types";
import { Allowed } from "@/components/Allowed";
import { ErrorNote } from "@/components/ErrorNote";
import { JsonView } from "@/components/JsonView";

const BUILT_IN = "agentainer/python-agent";

/** One request by hand, and what the agent answers; or that it waits. */
export function AskAgent({ agent }: { agent: DeployedAgent }) {
  const client = useQueryClient();
  const refusal = useRefusal("editor");
  const [input, setInput] = useState("{}");
  const [code, setCode] = useState("def main():\n    return 'hello'\n");
  const runsCode = agent.image === BUILT_IN;
  const ask = useMutation({
    mutationFn: (value: unknown) => invokeAgent(agent.id, { input: value, ...(runsCode ? { code } : {}) }),
    onSettled: () => void client.invalidateQueries({ queryKey: keys.deployed() }),
  });
  const value = parsed(input);
  const mono = { input: { fontFamily: "var(--af-mono)", fontSize: 12 } };
  return (
    <Stack gap={12} mt={12}>
      <Textarea
        label="Input"
        description="JSON"
        rows={4}
        styles={mono}
        spellCheck={false}
        value={input}
        onChange={(event) => setInput(event.currentTarget.value)}
        error={value.ok ? undefined : "This is no JSON."}
      />
      {runsCode && (
        <Textarea
          label="Code"
          description="Python with a main, which gets the input's fields as arguments"
          rows={4}
          styles={mono}
          spellCheck={false}
          value={code}
          onChange={(event) => setCode(event.currentTarget.value)}
        />
      )}
      <Group>
        <Allowed refusal={refusal}>
          {(may) => (
            <Button
              {...may}
              disabled={may.disabled || !value.ok}
              loading={ask.isPending}
              onClick={() => ask.mutate(value.value)}
            >
              Ask
            </Button>
          )}
        </Allowed>
      </Group>
      {ask.error && <ErrorNote error={ask.error} />}
      {ask.data !== undefined && <JsonView label="the answer" value={ask.data} />}
    </Stack>
  );
}

function parsed(text: string): { ok: boolean; value?: unknown } {
  try {
    return { ok: true, value: JSON.parse(text) };
  } catch {
    return { ok: false };
  }
}
