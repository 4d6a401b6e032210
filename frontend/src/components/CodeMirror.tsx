import { autocompletion, type CompletionSource, closeBrackets } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { json, jsonParseLinter } from "@codemirror/lang-json";
import { python } from "@codemirror/lang-python";
import {
  bracketMatching,
  HighlightStyle,
  indentOnInput,
  indentUnit,
  syntaxHighlighting,
} from "@codemirror/language";
import { linter } from "@codemirror/lint";
import { Compartment, EditorState, type Extension } from "@codemirror/state";
import {
  EditorView,
  highlightActiveLine,
  highlightSpecialChars,
  keymap,
  lineNumbers,
  placeholder as placeholderText,
} from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { useEffect, useRef } from "react";
import classes from "./CodeMirror.module.css";

export interface CodeMirrorProps {
  value: string;
  onChange?: (value: string) => void;
  language: "python" | "json" | "text";
  /** The editor's name for those who do not see it. */
  label: string;
  readOnly?: boolean;
  minHeight?: number;
  maxHeight?: number;
  /** Fills its container instead of growing with its text. */
  fill?: boolean;
  placeholder?: string;
  /** One line, without numbers: a field rather than an editor. */
  line?: boolean;
  /** What may be typed here, beyond the language. */
  completions?: CompletionSource;
}

const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.modifier, tags.operatorKeyword], color: "var(--af-violet)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--af-green)" },
  { tag: [tags.number, tags.bool, tags.null, tags.atom], color: "var(--af-amber)" },
  {
    tag: [tags.function(tags.variableName), tags.function(tags.definition(tags.variableName))],
    color: "var(--af-blue)",
  },
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--af-blue)" },
  { tag: [tags.comment, tags.docComment], color: "var(--af-faint)", fontStyle: "italic" },
  { tag: tags.invalid, color: "var(--af-red)" },
]);

const shared: Extension = [
  highlightSpecialChars(),
  history(),
  indentOnInput(),
  bracketMatching(),
  closeBrackets(),
  EditorView.lineWrapping,
  syntaxHighlighting(colours),
];

const base: Extension = [
  lineNumbers(),
  highlightActiveLine(),
  shared,
  keymap.of([...defaultKeymap, ...historyKeymap, indentWithTab]),
];

/** Tab leaves it as it leaves any field; what is pasted becomes one line. */
const oneLine: Extension = [
  shared,
  keymap.of([...defaultKeymap.filter(({ key }) => key !== "Enter" && key !== "Mod-Enter"), ...historyKeymap]),
  EditorState.transactionFilter.of((change) =>
    change.docChanged && change.newDoc.lines > 1
      ? [{ changes: { from: 0, to: change.startState.doc.length, insert: joined(change.newDoc.toString()) } }]
      : change,
  ),
];

const joined = (text: string) => text.replace(/\s*\n\s*/g, " ");

function languageOf(language: CodeMirrorProps["language"]): Extension {
  if (language === "python") return [python(), indentUnit.of("    ")];
  if (language === "json") {
    const check = jsonParseLinter();
    return [json(), linter((view) => (view.state.doc.length === 0 ? [] : check(view)))];
  }
  return [];
}

function restriction(readOnly: boolean): Extension {
  return [EditorState.readOnly.of(readOnly), EditorView.editable.of(!readOnly)];
}

/** A code editor in the application's colours. Tab indents; Escape, then Tab, leaves it. */
export default function CodeMirror(props: CodeMirrorProps) {
  const { value, language, label, readOnly = false, placeholder = "", completions, line = false } = props;
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const change = useRef(props.onChange);
  const first = useRef(value);
  const writable = useRef(new Compartment());

  useEffect(() => {
    change.current = props.onChange;
  }, [props.onChange]);

  useEffect(() => {
    if (!host.current) return;
    const editor = new EditorView({
      parent: host.current,
      state: EditorState.create({
        doc: first.current,
        extensions: [
          line ? oneLine : base,
          languageOf(language),
          writable.current.of([]),
          completions ? autocompletion({ override: [completions] }) : autocompletion(),
          EditorView.contentAttributes.of({ "aria-label": label, tabindex: "0" }),
          placeholderText(placeholder),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) change.current?.(update.state.doc.toString());
          }),
        ],
      }),
    });
    view.current = editor;
    return () => {
      first.current = editor.state.doc.toString();
      editor.destroy();
      view.current = null;
    };
  }, [language, label, placeholder, completions, line]);

  useEffect(() => {
    view.current?.dispatch({ effects: writable.current.reconfigure(restriction(readOnly)) });
  }, [readOnly]);

  useEffect(() => {
    const editor = view.current;
    if (!editor || editor.state.doc.toString() === value) return;
    editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: value } });
  }, [value]);

  return (
    <div
      ref={host}
      className={classes.editor}
      data-fill={props.fill || undefined}
      data-line={line || undefined}
      style={{
        "--editor-min": `${props.minHeight ?? (line ? 34 : 96)}px`,
        "--editor-max": props.maxHeight ? `${props.maxHeight}px` : "none",
      }}
    />
  );
}
