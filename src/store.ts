import { join } from 'node:path';
import type { Trouble } from './api.ts';
import { type Clock, createSystemClock } from './clock.ts';
import { claimDirectory } from './data-directory.ts';
import { EventSource } from './event-stream.ts';
import { LevelDatabase } from './log/level-database.ts';
import { type Log, openLog } from './log/log.ts';
import { openDatabase } from './log/open-database.ts';
import { Opened } from './opened.ts';
import { lossLedger } from './pubsub/ledger.ts';
import type { CheckedOptions } from './options.ts';
import { type Identity, loadIdentity } from './trust/identity.ts';
import { readMachine, readMachineStart } from './trust/machine.ts';

/** Troubles of an opening that are kept for whoever comes when it is open; a store that lost more has said enough. */
const KEPT = 100;

/** What a box has on disk, and what it is told about: all there is before the rest of it is built. */
export interface Store {
  readonly clock: Clock;
  /** `opening`: told before anybody could follow. */
  readonly troubles: { readonly source: EventSource<Trouble>; readonly counts: Map<string, number>; readonly opening: readonly Trouble[] };
  readonly trouble: (trouble: Trouble) => void;
  readonly identity: Identity;
  readonly log: Log;
  /** Closes what is here, and whatever is built on it. */
  readonly opened: Opened;
}

export async function openStore({ dir, limits }: CheckedOptions): Promise<Store> {
  const opened = new Opened();
  const clock = createSystemClock();
  const opening: Trouble[] = [];
  const troubles = { source: new EventSource<Trouble>(), counts: new Map<string, number>(), opening };
  let open = false;
  const trouble = (event: Trouble): void => {
    if (!open && opening.length < KEPT) opening.push(event);
    troubles.counts.set(event.kind, (troubles.counts.get(event.kind) ?? 0) + 1);
    troubles.source.emit(event);
  };
  try {
    await claimDirectory(dir);
    // The database's lock is the directory's: nothing else is touched before it is ours.
    const database = new LevelDatabase(join(dir, 'log'));
    const damaged = await openDatabase(database, trouble);
    opened.add(() => database.close());
    const { id: machine, addresses } = await readMachine();
    const identity = await loadIdentity(dir, { machine, addresses });
    if (identity.replaced !== undefined) {
      trouble({ kind: 'trust.copied', message: `this data directory comes from another machine: its records stay, this box got a new key, the old one is in ${identity.replaced}` });
    }
    const machineStart = await readMachineStart(() => clock.mono());
    const log = await openLog({ database, clock, boxId: identity.boxId, ...(machine !== undefined && { machine }), ...(machineStart && { machineStart }), trouble, damaged, ledger: lossLedger(), limits: { diskFloor: limits.diskFloor } });
    opened.add(() => log.close());
    open = true;
    return { clock, troubles, trouble, identity, log, opened };
  } catch (error) {
    await opened.close();
    throw error;
  }
}
