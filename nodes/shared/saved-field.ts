// What a dialog saves is text where a number or a switch is meant, as soon as `${NAME}` was in it.

/** Whether nothing is there, as a version saved it that had no such field, or as who left the field empty. */
function isEmpty(field: unknown): boolean {
  return field === undefined || field === null || (typeof field === 'string' && field.trim() === '');
}

/** The number that is meant, within its bounds; `otherwise` when the field is empty. Throws at what is no number. */
export function numberOf(name: string, field: unknown, { otherwise, least = 0, most = Number.MAX_SAFE_INTEGER }: { readonly otherwise: number; readonly least?: number; readonly most?: number }): number {
  if (isEmpty(field)) return otherwise;
  const number = typeof field === 'string' ? Number(field) : field;
  if (typeof number !== 'number' || !Number.isFinite(number)) throw new TypeError(`${name} is ${shown(field)}, and no number`);
  return Math.min(Math.max(number, least), most);
}

const ON: readonly unknown[] = [true, 1, 'true', '1', 'yes'];
const OFF: readonly unknown[] = [false, 0, 'false', '0', 'no'];

/** Whether a switch is on; an empty one is off. Throws at what is neither. */
export function isOn(name: string, field: unknown): boolean {
  if (ON.includes(field)) return true;
  if (isEmpty(field) || OFF.includes(field)) return false;
  throw new TypeError(`${name} is ${shown(field)}, and neither true nor false`);
}

function shown(field: unknown): string {
  return typeof field === 'object' ? 'an object' : JSON.stringify(field) ?? typeof field;
}

/**
 * One of the choices; the first when nothing was saved, as by a version that had no such field. Throws at what is none: the first of them
 * may be the contrary of what was meant.
 */
export function choiceOf<const C extends string>(name: string, field: unknown, choices: readonly [C, ...C[]]): C {
  if (field === undefined || field === null) return choices[0];
  const chosen = choices.find((choice) => choice === field);
  if (chosen === undefined) throw new TypeError(`${name} is ${shown(field)}, and none of ${choices.filter((choice) => choice !== '').join(', ')}`);
  return chosen;
}

/** How a moment is written, in the words of who asks for one. */
export const MOMENT = 'as 2026-11-26T08:00:00Z or in milliseconds since 1970';

/** A moment: milliseconds since 1970, or a date as ISO 8601 writes it. */
export function momentOf(field: unknown): number | undefined {
  if (typeof field === 'number') return Number.isFinite(field) ? field : undefined;
  if (field instanceof Date) return momentOf(field.getTime());
  if (typeof field !== 'string' || field.trim() === '') return undefined;
  const text = field.trim();
  return momentOf(/^-?\d+(\.\d+)?$/.test(text) ? Number(text) : Date.parse(text));
}
