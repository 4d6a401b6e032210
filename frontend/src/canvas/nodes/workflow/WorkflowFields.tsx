import { Select } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { query, request } from "@/api/client";
import { keys } from "@/api/keys";
import type { Page, WorkflowSummary } from "@/api/types";
import { versionDetail, versionList, workflowDetail } from "@/api/workflows";
import { Section, useFault } from "../../fields/simple";
import { isObject } from "../../json";
import { useDesigner } from "../../store";
import type { StepFieldsProps } from "../kinds";
import { ParamsEditor } from "./ParamsEditor";

/** Which workflow, in which version, and what it is given. */
export function WorkflowFields({ step, path, set }: StepFieldsProps) {
  const name = step.workflow ?? "";
  const schema = useParamsSchema(name, step.version);
  return (
    <>
      <Section title="Workflow">
        <NameField step={step} path={path} set={set} />
        {name !== "" && <VersionField step={step} path={path} set={set} />}
      </Section>
      <Section title="Params">
        <ParamsEditor step={step} path={path} set={set} schema={schema} />
      </Section>
    </>
  );
}

function NameField({ step, path, set }: StepFieldsProps) {
  const fault = useFault(`${path}.workflow`);
  const own = useDesigner((state) => state.document.name);
  const [typed, setTyped] = useState("");
  const [search] = useDebouncedValue(typed, 200);
  const name = step.workflow ?? "";
  const { data } = useQuery({
    queryKey: [...keys.workflows(), "names", search],
    queryFn: ({ signal }) =>
      request<Page<WorkflowSummary>>(`workflows/${query({ search, limit: 50 })}`, { signal }),
    placeholderData: (before) => before,
  });
  const found = (data?.results ?? []).map((one) => one.name);
  const names = name !== "" && !found.includes(name) ? [name, ...found] : found;
  return (
    <Select
      label="Workflow"
      data-path={`${path}.workflow`}
      placeholder="Choose one of the team's workflows"
      searchable
      data={names}
      value={name === "" ? null : name}
      // What the search leaves out is left out by the server.
      filter={({ options, search: wanted }) =>
        wanted === name ? options : options.filter((one) => "value" in one && one.value.includes(wanted))
      }
      onSearchChange={(text) => setTyped(text === name ? "" : text)}
      nothingFoundMessage="No workflow is called that."
      error={name === "" ? "Choose the workflow that this step runs." : fault}
      description={
        name === own ? "This is the workflow itself: give it a “when”, so that it ends." : undefined
      }
      inputWrapperOrder={["label", "input", "description", "error"]}
      onChange={(chosen) => chosen && set({ workflow: chosen, version: undefined })}
    />
  );
}

function VersionField({ step, path, set }: StepFieldsProps) {
  const fault = useFault(`${path}.version`);
  const { data } = useQuery({ ...versionList(step.workflow ?? ""), retry: false });
  const known = (data?.results ?? []).map(({ version }) => version);
  const all = step.version !== undefined && !known.includes(step.version) ? [step.version, ...known] : known;
  return (
    <Select
      label="Version"
      data-path={`${path}.version`}
      data={[
        { value: "newest", label: "The newest when it starts" },
        ...all.map((number) => ({ value: String(number), label: `Version ${number}` })),
      ]}
      value={step.version === undefined ? "newest" : String(step.version)}
      error={fault}
      onChange={(chosen) => set({ version: chosen === "newest" ? undefined : Number(chosen) })}
    />
  );
}

/** The params that the other workflow asks for; undefined when it asks for none, or cannot be read. */
function useParamsSchema(name: string, version: number | undefined): Record<string, unknown> | undefined {
  const newest = useQuery({
    ...workflowDetail(name),
    enabled: name !== "" && version === undefined,
    retry: false,
  });
  const pinned = useQuery({
    ...versionDetail(name, version ?? 0),
    enabled: name !== "" && version !== undefined,
    retry: false,
  });
  const document = (version === undefined ? newest : pinned).data?.document;
  const schema = isObject(document) ? document.params : undefined;
  return isObject(schema) && isObject(schema.properties) ? schema : undefined;
}
