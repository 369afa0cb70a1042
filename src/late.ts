import { LanpostError } from './errors.ts';

/**
 * A part of the program that is loaded when it is first needed, so that a box without that need does not carry it.
 * `load` is an `import()`: Node keeps what it loads, so it happens once.
 */
export async function late<T>(what: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new LanpostError('unsupported', `${what} cannot be loaded: ${reason}; if lanpost was updated meanwhile, start it anew.`, { cause });
  }
}
