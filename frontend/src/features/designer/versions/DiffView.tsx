import { Badge, SegmentedControl, Text } from "@mantine/core";
import { useState } from "react";
import type { Change, Diff } from "@/api/versions";
import { plural } from "@/format";
import classes from "./DiffView.module.css";
import { type Group, grouped } from "./grouping";
import { lineDiff, unifiedLines } from "./lines";

const WORDS: Record<Change["kind"], { word: string; color: string }> = {
  added: { word: "added", color: "green" },
  removed: { word: "removed", color: "red" },
  changed: { word: "changed", color: "blue" },
};

/** What two versions differ in: by step, or as text. */
export function DiffView({ diff }: { diff: Diff }) {
  const [how, setHow] = useState("steps");
  const { groups, moved } = grouped(diff);
  return (
    <div className={classes.diff}>
      <div className={classes.bar}>
        <span className={classes.summary}>{summary(diff)}</span>
        <SegmentedControl
          size="xs"
          aria-label="How the difference is shown"
          value={how}
          onChange={setHow}
          data={[
            { value: "steps", label: "By step" },
            { value: "text", label: "Text" },
          ]}
        />
      </div>
      {how === "text" ? (
        <AsText text={diff.text} />
      ) : (
        <>
          {groups.map((group) => (
            <OfStep key={group.step ?? ""} group={group} />
          ))}
          {groups.length === 0 && !moved && <Text c="dimmed">They are the same.</Text>}
          {moved && <Text c="dimmed">Steps were moved on the canvas.</Text>}
        </>
      )}
    </div>
  );
}

function summary({ steps, changes }: Diff): string {
  const parts = (["added", "removed", "changed"] as const)
    .filter((kind) => steps[kind].length > 0)
    .map((kind) => `${plural(steps[kind].length, "step")} ${kind}`);
  return parts.join(", ") || (changes.length > 0 ? "No step is different" : "No difference");
}

function OfStep({ group }: { group: Group }) {
  const { word, color } = WORDS[group.kind];
  return (
    <section className={classes.group} aria-label={group.step ?? "Workflow"}>
      <h3 className={classes.step}>
        {group.step ?? "Workflow"}
        {group.step !== null && (
          <Badge size="sm" radius="sm" variant="light" color={color}>
            {word}
          </Badge>
        )}
      </h3>
      {group.changes.map(({ field, change }) => (
        <div key={change.path} className={classes.change}>
          {field !== "" && <code className={classes.field}>{field}</code>}
          <Values change={change} />
        </div>
      ))}
    </section>
  );
}

function Values({ change: { kind, before, after } }: { change: Change }) {
  if (
    kind === "changed" &&
    typeof before === "string" &&
    typeof after === "string" &&
    isLong(before, after)
  ) {
    return <Lines lines={lineDiff(before, after)} />;
  }
  return (
    <Lines
      lines={[
        ...(kind === "added" ? [] : written(before).map((text) => ({ mark: "-" as const, text }))),
        ...(kind === "removed" ? [] : written(after).map((text) => ({ mark: "+" as const, text }))),
      ]}
    />
  );
}

const isLong = (before: string, after: string) => before.includes("\n") || after.includes("\n");

function written(value: unknown): string[] {
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  return text.replace(/\n$/, "").split("\n");
}

function AsText({ text }: { text: string | null }) {
  if (text === null) return <Text c="dimmed">The documents are too long to be compared as text.</Text>;
  if (text === "") return <Text c="dimmed">They are the same.</Text>;
  return <Lines lines={unifiedLines(text)} />;
}

function Lines({ lines }: { lines: { mark: string; text: string }[] }) {
  return (
    <pre className={classes.lines} tabIndex={0}>
      {lines.map(({ mark, text }, number) => (
        // Lines have no names, and never move.
        <span key={number} className={classes.line} data-mark={mark}>
          <span className={classes.mark} aria-hidden>
            {mark === "@" ? "" : mark}
          </span>
          {text}
          {"\n"}
        </span>
      ))}
    </pre>
  );
}
