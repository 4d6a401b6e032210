import { ActionIcon, Button, Tooltip } from "@mantine/core";
import { IconArrowDown, IconArrowUp, IconPlus, IconTrash } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { type Case, casesOf, elseOf, targetsOf } from "../../document";
import { ConditionField } from "../../fields/ConditionField";
import classes from "../../fields/fields.module.css";
import { Section } from "../../fields/simple";
import { StepsField } from "../../fields/StepsField";
import { refusal } from "../../graph";
import { openGraph, useDesigner } from "../../store";
import { suggestionsFor } from "../../suggestions";
import type { StepFieldsProps } from "../kinds";

/** The cases in their order, and what happens when none of them holds. */
export function BranchFields({ step, path, set }: StepFieldsProps) {
  const cases = casesOf(step);
  const others = elseOf(step);
  const graph = useDesigner(openGraph);
  const document = useDesigner((state) => state.document);
  const named = new Set(targetsOf(step));
  const possible = graph.steps
    .map(({ id }) => id)
    .filter((id) => named.has(id) || refusal(graph, step.id, id) === null);
  const change = (number: number, fields: Partial<Case>) =>
    set({ cases: cases.map((one, at) => (at === number ? { ...one, ...fields } : one)) });
  return (
    <Section
      title="Cases"
      aside={<AddCase onAdd={() => set({ cases: [...cases, { when: true, then: [] }] })} />}
    >
      <p className={classes.about}>
        The first case whose condition holds is taken; steps of the other cases are skipped.
      </p>
      {cases.map((one, number) => (
        <CaseCard
          // Cases have no names; one that is moved shows the other's values, which is right.
          key={number}
          number={number}
          last={number === cases.length - 1}
          only={cases.length === 1}
          onMove={(to) => set({ cases: moved(cases, number, to) })}
          onRemove={() => set({ cases: cases.filter((_, at) => at !== number) })}
        >
          <ConditionField
            path={`${path}.cases[${number}].when`}
            label="When"
            name={`When of case ${number + 1}`}
            required
            value={one.when}
            onChange={(when) => change(number, { when: when ?? "" })}
            about={one.when === true ? "true: it always holds." : undefined}
            suggestions={suggestionsFor(document, step, "other")}
          />
          <StepsField
            path={`${path}.cases[${number}].then`}
            label="Then run"
            name={`Steps of case ${number + 1}`}
            value={one.then}
            possible={possible}
            onChange={(then) => change(number, { then })}
          />
        </CaseCard>
      ))}
      <StepsField
        path={`${path}.else`}
        label="Otherwise run"
        name="Steps when no case holds"
        value={others}
        possible={possible}
        onChange={(chosen) => set({ else: chosen.length > 0 ? chosen : undefined })}
        about="When no case holds. Empty: nothing."
      />
    </Section>
  );
}

function moved(cases: Case[], from: number, to: number): Case[] {
  const next = [...cases];
  const [one] = next.splice(from, 1);
  if (one) next.splice(to, 0, one);
  return next;
}

function AddCase({ onAdd }: { onAdd: () => void }) {
  const readOnly = useDesigner((state) => state.readOnly);
  if (readOnly) return null;
  return (
    <Button
      size="compact-xs"
      variant="subtle"
      leftSection={<IconPlus size={14} aria-hidden />}
      onClick={onAdd}
    >
      Add case
    </Button>
  );
}

interface CardProps {
  number: number;
  last: boolean;
  only: boolean;
  onMove: (to: number) => void;
  onRemove: () => void;
  children: ReactNode;
}

function CaseCard({ number, last, only, onMove, onRemove, children }: CardProps) {
  const readOnly = useDesigner((state) => state.readOnly);
  const name = `case ${number + 1}`;
  const tools = [
    { label: `Move ${name} up`, icon: IconArrowUp, off: number === 0, run: () => onMove(number - 1) },
    { label: `Move ${name} down`, icon: IconArrowDown, off: last, run: () => onMove(number + 1) },
    { label: `Remove ${name}`, icon: IconTrash, off: only, run: onRemove },
  ];
  return (
    <div className={classes.card} role="group" aria-label={`Case ${number + 1}`}>
      <div className={classes.cardHead}>
        <span className={classes.label}>Case {number + 1}</span>
        {!readOnly &&
          tools.map(({ label, icon: Icon, off, run }) => (
            <Tooltip key={label} label={label}>
              <ActionIcon
                variant="subtle"
                color="gray"
                size="sm"
                className={classes.quiet}
                aria-label={label}
                disabled={off}
                onClick={run}
              >
                <Icon size={14} />
              </ActionIcon>
            </Tooltip>
          ))}
      </div>
      {children}
    </div>
  );
}
