import { Button, SegmentedControl, TagsInput, Text } from "@mantine/core";
import { useState } from "react";
import type { RunSpec, Step } from "@/canvas/document";
import classes from "@/canvas/fields/fields.module.css";
import { Section, TextField, useFault } from "@/canvas/fields/simple";
import type { RunKind, StepFieldsProps } from "@/canvas/nodes/kinds";
import { useDesigner } from "@/canvas/store";
import { CommandFields } from "./CommandFields";
import { CodeEditor } from "@/components/CodeEditor";

type Way = "code" | "command" | "image" | "handler";

function wayOf(run: RunSpec | undefined): Way {
  if (run?.handler !== undefined) return "handler";
  if (run?.command !== undefined) return "command";
  return run?.image !== undefined ? "image" : "code";
}

interface Props extends StepFieldsProps {
  kind: RunKind;
}

export interface PartProps {
  step: Step;
  path: string;
  run: RunSpec;
  /** Named where a step runs two things. */
  of: string;
  change: (run: RunSpec) => void;
}

const BLANK: Record<"command" | "image", RunSpec> = { command: { command: "" }, image: { image: "" } };

/** What the agent does: Python code, a command, an image, or a handler out of an uploaded bundle. */
export function RunFields({ step, path, set, kind }: Props) {
  const readOnly = useDesigner((state) => state.readOnly);
  const { field, title, code, without } = kind;
  const run = step[field];
  const way = wayOf(run);
  // Changing over and back must not cost what was written.
  const [kept, setKept] = useState<Partial<Record<Way, RunSpec>>>({});
  const fault = useFault(`${path}.${field}`);
  const change = (to: RunSpec | undefined) => set({ [field]: to });
  const changeWay = (to: Way) => {
    setKept({ ...kept, [way]: run });
    change(kept[to] ?? (to === "command" || to === "image" ? BLANK[to] : { code }));
  };
  if (run === undefined && without) {
    return (
      <Section
        title={title}
        aside={
          readOnly ? null : (
            <Button size="compact-xs" variant="subtle" onClick={() => change(kept[way] ?? { code })}>
              Add a {title.toLowerCase()}
            </Button>
          )
        }
      >
        <p className={classes.about}>{without}</p>
      </Section>
    );
  }
  const part = { step, path: `${path}.${field}`, run: run ?? {}, of: title, change };
  return (
    <Section
      title={title}
      aside={
        <span className={classes.asides}>
          {without && !readOnly && (
            <Button
              size="compact-xs"
              variant="subtle"
              color="gray"
              onClick={() => {
                setKept({ ...kept, [way]: run });
                change(undefined);
              }}
            >
              Remove
            </Button>
          )}
          <SegmentedControl
            size="xs"
            aria-label={title === "Runs" ? "What it runs" : `What the ${title.toLowerCase()} runs`}
            value={way}
            onChange={(to) => changeWay(to as Way)}
            data={[
              { value: "code", label: "Python" },
              { value: "command", label: "Command" },
              { value: "image", label: "Image" },
              ...(way === "handler" || kept.handler ? [{ value: "handler", label: "Handler" }] : []),
            ]}
          />
        </span>
      }
    >
      {way === "code" && <CodeField {...part} />}
      {way === "command" && <CommandFields {...part} />}
      {way === "image" && <ImageFields {...part} />}
      {way === "handler" && <Handler {...part} />}
      {fault && way !== "image" && (
        <p className={classes.fault} role="alert">
          {fault}
        </p>
      )}
    </Section>
  );
}

function CodeField({ step, path, run, of, change }: PartProps) {
  const readOnly = useDesigner((state) => state.readOnly);
  return (
    <div data-path={`${path}.code`}>
      <CodeEditor
        language="python"
        label={
          of === "Runs" ? `Python code of ${step.id}` : `Python code of ${step.id}'s ${of.toLowerCase()}`
        }
        value={run.code ?? ""}
        readOnly={readOnly}
        minHeight={of === "Runs" ? 144 : 96}
        maxHeight={440}
        onChange={(code) => {
          if (code !== run.code) change({ ...run, code });
        }}
      />
      <p className={classes.about}>{adviceFor(step, of)}</p>
      <Requirements path={path} run={run} change={change} />
    </div>
  );
}

function Requirements({ path, run, change }: Pick<PartProps, "path" | "run" | "change">) {
  const readOnly = useDesigner((state) => state.readOnly);
  const fault = useFault(`${path}.requirements`);
  return (
    <TagsInput
      label="Requirements"
      data-path={`${path}.requirements`}
      placeholder={run.requirements?.length ? undefined : "requests==2.32.3"}
      description="Packages that it imports; an image with them is built once."
      inputWrapperOrder={["label", "input", "description", "error"]}
      splitChars={[]}
      value={run.requirements ?? []}
      error={fault}
      readOnly={readOnly}
      acceptValueOnBlur
      onChange={(names) => change({ ...run, requirements: names.length > 0 ? names : undefined })}
    />
  );
}

function adviceFor(step: Step, of: string) {
  if (of === "Reducer")
    return "main gets the mapper's outputs as results; what it returns is the step's output.";
  if (step.type === "reduce" && step.streaming)
    return "main gets an iterator over the results; ctx.emit_progress(…) tells how far it is.";
  return (
    <>
      <code>main</code> gets the input&apos;s fields as arguments; what it returns is the step&apos;s output.
    </>
  );
}

function ImageFields({ path, run, change }: PartProps) {
  return (
    <>
      <TextField
        mono
        path={`${path}.image`}
        label="Image"
        placeholder="processor:latest"
        value={run.image}
        onChange={(image = "") => change({ ...run, image })}
        about="An image that answers POST /invoke on port 8000."
      />
      <TextField
        mono
        path={`${path}.path`}
        label="Path"
        placeholder="/invoke"
        value={run.path}
        onChange={(given) => change(given === undefined ? { image: run.image } : { ...run, path: given })}
      />
    </>
  );
}

function Handler({ path, run, change }: PartProps) {
  return (
    <div>
      <Text size="sm" ff="monospace">
        {run.handler}
      </Text>
      <p className={classes.about}>
        Out of the bundle <code>{run.bundle?.slice(0, 12)}</code>, which the SDK uploaded. Deploy it again
        from Python to change it.
      </p>
      <Requirements path={path} run={run} change={change} />
    </div>
  );
}
