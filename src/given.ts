/** What a caller gave where an object of named values belongs. A TypeError: the program is wrong, and no input of anybody. */
export function checkedObject(what: string, value: unknown): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array) throw new TypeError(`${what} must be an object`);
}

/** The same where it may be left out. */
export function checkedOptional(what: string, value: unknown, type: 'string' | 'number' | 'boolean'): void {
  if (value !== undefined && typeof value !== type) throw new TypeError(`${what} must be a ${type}`);
}

/** Milliseconds until what was given back comes again. */
export function checkedDelay(delay: unknown = 0): number {
  if (typeof delay !== 'number' || Number.isNaN(delay)) throw new TypeError('delay must be a number of milliseconds');
  return delay;
}
