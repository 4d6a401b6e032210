import { Button, Group, Modal, SegmentedControl, Stack, Switch, Textarea, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { deployAgents } from "@/api/agents";
import { ApiProblem } from "@/api/client";
import { keys } from "@/api/keys";
import { ErrorNote } from "@/components/ErrorNote";

const EXAMPLE = `kind: AgentDeployment
metadata: {name: crew}
spec:
  agents:
    - name: worker
      image: worker:1
      replicas: 2
      resources: {cpu: 500m, memory: 512M}
`;

interface Draft {
  name: string;
  image: string;
  cpu: string;
  memory: string;
  env: string;
  egress: boolean;
}

const FRESH: Draft = { name: "", image: "", cpu: "1", memory: "512Mi", env: "", egress: false };

/** `NAME=value` lines as an object; lines without `=` are told. */
export function readEnv(text: string): { env: Record<string, string>; wrong: string | null } {
  const env: Record<string, string> = {};
  for (const line of text.split("\n").map((one) => one.trim())) {
    if (line === "") continue;
    const place = line.indexOf("=");
    if (place < 1) return { env, wrong: line };
    env[line.slice(0, place).trim()] = line.slice(place + 1);
  }
  return { env, wrong: null };
}

/** Deploys one agent by a form, or many by a document. */
export function DeployModal({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const [way, setWay] = useState("form");
  const [draft, setDraft] = useState(FRESH);
  const [text, setText] = useState(EXAMPLE);
  const env = readEnv(draft.env);
  const deploy = useMutation({
    mutationFn: () => deployAgents(way === "form" ? bodyOf(draft, env.env) : { document: text }),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: keys.deployed() });
      onClose();
    },
  });
  const faultAt = (path: string) =>
    deploy.error instanceof ApiProblem
      ? deploy.error.errors.find((fault) => fault.path === path)?.message
      : undefined;
  const shown = ["name", "image", "resources.cpu", "resources.memory"].some(faultAt);
  const field = (name: Exclude<keyof Draft, "egress">, path: string = name) => ({
    value: draft[name],
    onChange: (event: { currentTarget: { value: string } }) =>
      setDraft({ ...draft, [name]: event.currentTarget.value }),
    error: faultAt(path),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    deploy.mutate();
  };
  return (
    <Modal opened onClose={onClose} title="Deploy agents" size={560}>
      <form onSubmit={submit} noValidate>
        <Stack gap={16}>
          <SegmentedControl
            aria-label="How to say it"
            value={way}
            onChange={setWay}
            data={[
              { value: "form", label: "One agent" },
              { value: "document", label: "Document" },
            ]}
          />
          {deploy.error && !(way === "form" && shown) && (
            <ErrorNote error={deploy.error} title="Nothing was deployed" />
          )}
          {way === "form" ? (
            <>
              <TextInput label="Name" placeholder="worker" data-autofocus {...field("name")} />
              <TextInput
                label="Image"
                description="Empty for the built-in Python agent, which runs the code it is sent"
                placeholder="agentainer/python-agent"
                {...field("image")}
              />
              <Group grow align="flex-start" gap={16}>
                <TextInput label="CPU" description="0.5, or 500m" {...field("cpu", "resources.cpu")} />
                <TextInput
                  label="Memory"
                  description="512M, or 1Gi"
                  {...field("memory", "resources.memory")}
                />
              </Group>
              <Textarea
                label="Variables"
                description="NAME=value, one a line"
                rows={3}
                spellCheck={false}
                {...field("env")}
                error={env.wrong === null ? undefined : `There is no = in ${env.wrong}.`}
              />
              <Switch
                label="Reaches the outside"
                description="Else its network is isolated: it calls nobody"
                checked={draft.egress}
                onChange={(event) => setDraft({ ...draft, egress: event.currentTarget.checked })}
              />
            </>
          ) : (
            <Textarea
              label="Document"
              description="kind: AgentDeployment, as YAML or JSON"
              rows={12}
              spellCheck={false}
              styles={{ input: { fontFamily: "var(--af-mono)", fontSize: 12 } }}
              value={text}
              onChange={(event) => setText(event.currentTarget.value)}
            />
          )}
          <Group justify="flex-end" gap={8}>
            <Button variant="default" onClick={onClose}>
              Leave it
            </Button>
            <Button
              type="submit"
              loading={deploy.isPending}
              disabled={way === "form" && (draft.name.trim() === "" || env.wrong !== null)}
            >
              Deploy
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

function bodyOf(draft: Draft, env: Record<string, string>) {
  const image = draft.image.trim();
  return {
    name: draft.name.trim(),
    ...(image ? { image } : {}),
    env,
    resources: { cpu: draft.cpu.trim(), memory: draft.memory.trim() },
    ...(draft.egress ? { network: "egress" } : {}),
  };
}
