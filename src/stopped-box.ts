import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Imported, Trouble } from './api.ts';
import { createSystemClock } from './clock.ts';
import { claimDirectory } from './data-directory.ts';
import { LanpostError } from './errors.ts';
import { takeIn as takeLinesIn } from './log/archive.ts';
import { LevelDatabase } from './log/level-database.ts';
import { type Log, openLog } from './log/log.ts';
import { openDatabase } from './log/open-database.ts';
import { Opened } from './opened.ts';
import { lossLedger } from './pubsub/ledger.ts';
import { isAccessRow } from './pubsub/rights.ts';
import { configured, DEFAULT_CONFIG } from './pubsub/topic-config.ts';
import { keyOf } from './pubsub/topic-key.ts';
import { checkedOptions } from './options.ts';
import { loadIdentity, readIdentity } from './trust/identity.ts';
import { readMachine } from './trust/machine.ts';
import { isTrustRow } from './trust/trust.ts';

export { archived, checkBeginning } from './log/archive.ts';

/** Takes lines of an export in. */
export function takeIn(log: Log, lines: Parameters<typeof takeLinesIn>[1]): Promise<Imported> {
  return takeLinesIn(log, lines, {
    keyOf, isRow: (row, value) => isTrustRow(row, value) || isAccessRow(row, value), checkSettings: (settings) => void configured(DEFAULT_CONFIG, settings),
  });
}

/** The log of a box that does not run: nothing else of it is started. */
export async function openStopped(dir: string, o: { readonly mend?: boolean; readonly trouble?: ((trouble: Trouble) => void) | undefined; readonly make?: boolean } = {}): Promise<{ readonly log: Log; readonly close: () => Promise<void> }> {
  const { limits } = checkedOptions({ dir });
  const location = join(dir, 'log');
  if (o.make === true) await claimDirectory(dir);
  else if (!await stat(location).then(() => true, () => false)) throw new LanpostError('not-found', `There is no box in ${dir}.`);
  const trouble = o.trouble ?? (() => undefined);
  const opened = new Opened();
  try {
    const database = new LevelDatabase(location);
    // Its lock is the directory's.
    const damaged = await openDatabase(database, trouble);
    opened.add(() => database.close());
    const { id: machine, addresses } = await readMachine();
    // Who looks into a card that is out of its machine does not take its key from it.
    const { boxId } = await readIdentity(dir) ?? await loadIdentity(dir, { machine, addresses });
    const log = await openLog({ database, clock: createSystemClock(), boxId, ...(machine !== undefined && { machine }), trouble, damaged, mend: o.mend ?? false, ledger: lossLedger(), limits: { diskFloor: limits.diskFloor } });
    opened.add(() => log.close());
    return { log, close: () => opened.close() };
  } catch (error) {
    await opened.close();
    throw error;
  }
}
