/** The params schema of a workflow document, as far as forms need it. */
export type ParamsSchema = Record<string, unknown> & { properties?: Record<string, unknown> };

/** The schema when it asks for anything; null when a run needs no form. */
export function paramsOf(document: unknown): ParamsSchema | null {
  if (typeof document !== "object" || document === null || !("params" in document)) return null;
  const schema = document.params;
  if (typeof schema !== "object" || schema === null) return null;
  const properties = (schema as ParamsSchema).properties;
  return properties && Object.keys(properties).length > 0 ? (schema as ParamsSchema) : null;
}
