import { Button } from "@mantine/core";
import { readDocument, type WorkflowDocument } from "@/canvas/document";
import { useJsonText } from "@/canvas/fields/useJsonText";
import { useDesigner, useDesignerStore } from "@/canvas/store";
import { CodeEditor } from "@/components/CodeEditor";
import classes from "./Designer.module.css";

function accept(value: unknown): { value: WorkflowDocument } | { fault: string } {
  const document = readDocument(value);
  return typeof document === "string" ? { fault: document } : { value: document };
}

/** Names the text of this tab among what cannot be read yet. */
export const DOCUMENT_TEXT = ":document";

/** The document as text. What can be read goes to the canvas as one types. */
export function DocumentTab() {
  const store = useDesignerStore();
  const document = useDesigner((state) => state.document);
  const readOnly = useDesigner((state) => state.readOnly);
  const { text, type, fault, reset } = useJsonText<WorkflowDocument>({
    draftKey: DOCUMENT_TEXT,
    path: "document",
    step: null,
    value: document,
    accept,
    onChange: (next) => {
      if (next) store.getState().apply(() => next, DOCUMENT_TEXT);
    },
  });
  return (
    <div className={classes.document}>
      {fault && (
        <div className={classes.documentFault}>
          <span role="alert">{fault}</span>
          <Button size="compact-xs" variant="subtle" color="red" onClick={reset}>
            Discard what I typed
          </Button>
        </div>
      )}
      <div className={classes.documentEditor}>
        <CodeEditor
          fill
          language="json"
          label="Workflow document"
          value={text}
          onChange={type}
          readOnly={readOnly}
        />
      </div>
    </div>
  );
}
