import { JsonField } from "@/canvas/fields/JsonField";
import classes from "@/canvas/fields/fields.module.css";
import { SwitchField, TextField, useFault } from "@/canvas/fields/simple";
import { useDesigner } from "@/canvas/store";
import { CodeEditor } from "@/components/CodeEditor";
import type { PartProps } from "./RunFields";

/** A program of the image: one line or several for a shell, or the program and its arguments as a list. */
export function CommandFields({ step, path, run, of, change }: PartProps) {
  const command = run.command ?? "";
  const whose = of === "Runs" ? step.id : `${step.id}'s ${of.toLowerCase()}`;
  const write = (given: string | string[]) => change({ ...run, command: given });
  return (
    <>
      {typeof command === "string" ? (
        <Line path={`${path}.command`} label={`Command of ${whose}`} value={command} onChange={write} />
      ) : (
        <JsonField
          bare
          path={`${path}.command`}
          draftKey={`${step.id}:${path}.command`}
          step={step.id}
          label={`Command of ${whose}`}
          value={command}
          accept={asWords}
          onChange={(value) => write((value ?? []) as string[])}
          placeholder='["sort", "-u"]'
        />
      )}
      <p className={classes.about}>
        It gets the input as JSON on stdin, and what it prints is the output, as JSON. What it writes to
        stderr is its log.
      </p>
      <SwitchField
        path={`${path}.command.shell`}
        label="A shell runs it"
        about="Off: a list of the program and its arguments, passed as they are"
        value={typeof command === "string"}
        onChange={(shell) => write(shell ? quoted(command) : words(command))}
      />
      <TextField
        mono
        path={`${path}.image`}
        label="Image"
        placeholder="agentainer/python-agent"
        value={run.image}
        onChange={(image) => change(image === undefined ? { command } : { command, image })}
        about="Any image, whose programs it is made of. Empty: the built-in agent's, which has a shell, Python, sort, grep, awk and the like."
      />
    </>
  );
}

function Line(props: { path: string; label: string; value: string; onChange: (value: string) => void }) {
  const readOnly = useDesigner((state) => state.readOnly);
  const fault = useFault(props.path);
  return (
    <div data-path={props.path}>
      <CodeEditor
        language="text"
        label={props.label}
        value={props.value}
        readOnly={readOnly}
        minHeight={72}
        maxHeight={320}
        placeholder="sort | uniq -c"
        onChange={(value) => {
          if (value !== props.value) props.onChange(value);
        }}
      />
      {fault && (
        <p className={classes.fault} role="alert">
          {fault}
        </p>
      )}
    </div>
  );
}

function asWords(value: unknown): { value: unknown } | { fault: string } {
  const fits = Array.isArray(value) && value.every((word) => typeof word === "string");
  return fits ? { value } : { fault: 'Write a list of texts, such as ["sort", "-u"].' };
}

/** As a shell would read it where nothing is quoted; people look at it next. */
function words(command: string | string[]): string[] {
  return typeof command === "string" ? command.split(/\s+/).filter(Boolean) : command;
}

function quoted(command: string | string[]): string {
  if (typeof command === "string") return command;
  return command
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
    .join(" ");
}
