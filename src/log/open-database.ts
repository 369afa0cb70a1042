import type { Trouble } from '../api.ts';
import { LanpostError } from '../errors.ts';
import type { Database } from './database.ts';

const FORBIDDEN: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'EROFS']);
/** What whoever reads of a box that runs is told to do about damage. */
export const TO_REPAIR = '; stop the box and run `lanpost repair`.';

/** Opens it, and repairs it first when it is damaged; gives whether that was so. */
export async function openDatabase(database: Database, trouble: (trouble: Trouble) => void): Promise<boolean> {
  try {
    await database.open();
    return false;
  } catch (error) {
    if (!isDamage(error)) throw error;
    await repairDatabase(database, error, trouble);
    return true;
  }
}

/** It may be open. */
export async function repairDatabase(database: Database, damage: LanpostError, trouble: (trouble: Trouble) => void): Promise<void> {
  trouble({ kind: 'log.repair', message: `${damage.message.replace(TO_REPAIR, '.')} It is being repaired.`, code: 'corrupt' });
  await database.close();
  try {
    await database.repair();
    await database.open();
  } catch (error) {
    if (!isDamage(error)) throw error;
    throw new LanpostError('corrupt', `${error.message} It could not be repaired: put a copy of the data directory in its place, or begin with an empty one and \`lanpost import\`.`, { cause: error });
  }
}

export function isDamage(error: unknown): error is LanpostError {
  return error instanceof LanpostError && error.code === 'corrupt';
}

/** What the disk would not do while a store was opened, with a code. What is none of the disk's stays as it is. */
export function openingFailed(error: unknown, location: string): unknown {
  if (error instanceof LanpostError || !(error instanceof Error) || !('code' in error)) return error;
  if (!('errno' in error) && error.code !== 'LEVEL_IO_ERROR') return error;
  const forbidden = typeof error.code === 'string' && FORBIDDEN.has(error.code);
  return new LanpostError(forbidden ? 'forbidden' : 'disk-full', `${location} cannot be opened: ${error.message}`, { cause: error });
}
