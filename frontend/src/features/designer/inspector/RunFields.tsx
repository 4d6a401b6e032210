import { SegmentedControl, Text } from "@mantine/core";
import { useState } from "react";
import type { RunSpec, Step } from "@/canvas/document";
import classes from "@/canvas/fields/fields.module.css";
import { Section, TextField, useFault } from "@/canvas/fields/simple";
import type { StepFieldsProps } from "@/canvas/nodes/kinds";
import { kindOf } from "@/canvas/nodes";
import { useDesigner } from "@/canvas/store";
import { CodeEditor } from "@/components/CodeEditor";

type Way = "code" | "image" | "handler";

function wayOf(run: RunSpec | undefined): Way {
  if (run?.handler !== undefined) return "handler";
  return run?.image !== undefined ? "image" : "code";
}

/** What a step runs when one changes over to a way that it never had. */
function fresh(way: Way, step: Step): RunSpec {
  return way === "image" ? { image: "" } : { code: kindOf(step.type).defaults(step.id).run?.code ?? "" };
}

/** What the agent does: Python code, an image, or a handler out of an uploaded bundle. */
export function RunFields({ step, path, set }: StepFieldsProps) {
  const way = wayOf(step.run);
  // Changing over and back must not cost what was written.
  const [kept, setKept] = useState<Partial<Record<Way, RunSpec>>>({});
  const fault = useFault(`${path}.run`);
  const change = (to: Way) => {
    setKept({ ...kept, [way]: step.run });
    set({ run: kept[to] ?? fresh(to, step) });
  };
  const ways = [
    { value: "code", label: "Python" },
    { value: "image", label: "Image" },
    ...(way === "handler" || kept.handler ? [{ value: "handler", label: "Handler" }] : []),
  ];
  return (
    <Section
      title="Runs"
      aside={
        <SegmentedControl
          size="xs"
          aria-label="What it runs"
          value={way}
          onChange={(to) => change(to as Way)}
          data={ways}
        />
      }
    >
      {way === "code" && <CodeField step={step} path={path} set={set} />}
      {way === "image" && <ImageFields step={step} path={path} set={set} />}
      {way === "handler" && <Handler run={step.run ?? {}} />}
      {fault && way !== "image" && (
        <p className={classes.fault} role="alert">
          {fault}
        </p>
      )}
    </Section>
  );
}

function CodeField({ step, path, set }: StepFieldsProps) {
  const readOnly = useDesigner((state) => state.readOnly);
  return (
    <div data-path={`${path}.run.code`}>
      <CodeEditor
        language="python"
        label={`Python code of ${step.id}`}
        value={step.run?.code ?? ""}
        readOnly={readOnly}
        minHeight={144}
        maxHeight={440}
        onChange={(code) => {
          if (code !== step.run?.code) set({ run: { code } });
        }}
      />
      <p className={classes.about}>
        <code>main</code> gets the input&apos;s fields as arguments; what it returns is the step&apos;s
        output.
      </p>
    </div>
  );
}

function ImageFields({ step, path, set }: StepFieldsProps) {
  const run = step.run ?? {};
  return (
    <>
      <TextField
        mono
        path={`${path}.run.image`}
        label="Image"
        placeholder="processor:latest"
        value={run.image}
        onChange={(image = "") => set({ run: { ...run, image } })}
        about="An image that answers POST /invoke on port 8000."
      />
      <TextField
        mono
        path={`${path}.run.path`}
        label="Path"
        placeholder="/invoke"
        value={run.path}
        onChange={(given) =>
          set({ run: given === undefined ? { image: run.image } : { ...run, path: given } })
        }
      />
    </>
  );
}

function Handler({ run }: { run: RunSpec }) {
  return (
    <div>
      <Text size="sm" ff="monospace">
        {run.handler}
      </Text>
      <p className={classes.about}>
        Out of the bundle <code>{run.bundle?.slice(0, 12)}</code>, which the SDK uploaded. Deploy it again
        from Python to change it.
      </p>
    </div>
  );
}
