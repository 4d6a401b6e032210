import { readDocument, type WorkflowDocument } from "@/canvas/document";
import { useJsonText } from "@/canvas/fields/useJsonText";
import { useDesigner, useDesignerStore } from "@/canvas/store";
import { CodeEditor } from "@/components/CodeEditor";
import classes from "./Designer.module.css";

function accept(value: unknown): { value: WorkflowDocument } | { fault: string } {
  const document = readDocument(value);
  return typeof document === "string" ? { fault: document } : { value: document };
}

/** The document as text. What can be read goes to the canvas as one types. */
export function DocumentTab() {
  const store = useDesignerStore();
  const document = useDesigner((state) => state.document);
  const readOnly = useDesigner((state) => state.readOnly);
  const { text, type, fault } = useJsonText<WorkflowDocument>({
    draftKey: ":document",
    path: "document",
    step: null,
    value: document,
    accept,
    onChange: (next) => {
      if (next) store.getState().apply(() => next, ":document");
    },
  });
  return (
    <div className={classes.document}>
      {fault && (
        <p className={classes.documentFault} role="alert">
          {fault}
        </p>
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
