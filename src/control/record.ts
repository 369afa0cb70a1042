/** Narrows what came over the wire to something with named fields. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

/** Of what a caller gave; what should have fields and has none goes as it is: the box says what is wrong with it. */
export function asGiven(options: unknown): unknown {
  return isRecord(options) ? present(options) : options;
}

/** Without the fields that are `undefined`, so that absent stays absent across the wire. */
export function present(fields: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** The same all the way down. */
export function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((one) => plain(one) ?? null);
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined).map(([name, field]) => [name, plain(field)]));
}
