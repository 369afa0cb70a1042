/** The node's own field when it is filled in, else the message's property; numbers count as text. */
export function textOr(field: string | undefined, property: unknown): string | undefined {
  if (field) return field;
  if (typeof property === 'string' && property !== '') return property;
  return typeof property === 'number' && Number.isFinite(property) ? String(property) : undefined;
}
