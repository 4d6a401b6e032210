import type { Completion, CompletionContext, CompletionSource } from "@codemirror/autocomplete";
import type { EditorView } from "@codemirror/view";
import { useCallback, useEffect, useRef } from "react";
import type { Suggestion } from "../suggestions";

/** Offers expressions where `${` is typed, or where Ctrl-Space asks. The source stays the same function. */
export function useCompletions(suggestions: Suggestion[], json: boolean): CompletionSource {
  const offered = useRef(suggestions);
  useEffect(() => {
    offered.current = suggestions;
  }, [suggestions]);
  return useCallback(
    (context: CompletionContext) => {
      const typed = context.matchBefore(/\$\{?[\w.-]*/);
      if (!typed && !context.explicit) return null;
      return {
        from: typed?.from ?? context.pos,
        filter: true,
        options: offered.current.map((suggestion) => completion(suggestion, json)),
      };
    },
    [json],
  );
}

/** The same inside a bare expression, where names stand without their `${…}`. */
export function useExpressionCompletions(suggestions: Suggestion[]): CompletionSource {
  const offered = useRef(suggestions);
  useEffect(() => {
    offered.current = suggestions;
  }, [suggestions]);
  return useCallback((context: CompletionContext) => {
    const typed = context.matchBefore(/[A-Za-z_][\w.-]*/);
    if (!typed && !context.explicit) return null;
    return {
      from: typed?.from ?? context.pos,
      options: offered.current.map(({ text, about }) => ({ label: text.slice(2, -1), detail: about })),
      validFor: /^[\w.-]*$/,
    };
  }, []);
}

function completion({ text, about }: Suggestion, json: boolean): Completion {
  return {
    label: text,
    detail: about,
    apply: (view: EditorView, _completion: Completion, from: number, to: number) => {
      const line = view.state.doc.lineAt(from);
      const before = view.state.sliceDoc(line.from, from);
      const quoted = (before.match(/(?<!\\)"/g)?.length ?? 0) % 2 === 1;
      const insert = json && !quoted ? JSON.stringify(text) : text;
      // The editor has closed the brace already.
      const end = view.state.sliceDoc(to, to + 1) === "}" ? to + 1 : to;
      view.dispatch({ changes: { from, to: end, insert }, selection: { anchor: from + insert.length } });
    },
  };
}
