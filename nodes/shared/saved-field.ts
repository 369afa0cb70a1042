// What a dialog saves is text where a number or a switch is meant, as soon as `${NAME}` was in it.

/** The number that is meant, within its bounds; `otherwise` when it is none. */
export function numberOf(field: unknown, { otherwise, least = 0, most = Number.MAX_SAFE_INTEGER }: { readonly otherwise: number; readonly least?: number; readonly most?: number }): number {
  const number = typeof field === 'string' && field.trim() !== '' ? Number(field) : field;
  return typeof number === 'number' && Number.isFinite(number) ? Math.min(Math.max(number, least), most) : otherwise;
}

/** Whether a switch is on. */
export function isOn(field: unknown): boolean {
  return field === true || field === 'true' || field === '1' || field === 'yes';
}

/**
 * One of the choices; the first when nothing was saved, as by a version that had no such field. Throws at what is none: the first of them
 * may be the contrary of what was meant.
 */
export function choiceOf<const C extends string>(name: string, field: unknown, choices: readonly [C, ...C[]]): C {
  if (field === undefined || field === null) return choices[0];
  const chosen = choices.find((choice) => choice === field);
  if (chosen === undefined) throw new TypeError(`${name} is ${JSON.stringify(field)}, and none of ${choices.filter((choice) => choice !== '').join(', ')}`);
  return chosen;
}

/** A moment: milliseconds since 1970, or a date as ISO 8601 writes it. */
export function momentOf(field: unknown): number | undefined {
  if (typeof field === 'number') return Number.isFinite(field) ? field : undefined;
  if (field instanceof Date) return momentOf(field.getTime());
  if (typeof field !== 'string' || field.trim() === '') return undefined;
  const text = field.trim();
  return momentOf(/^-?\d+(\.\d+)?$/.test(text) ? Number(text) : Date.parse(text));
}
