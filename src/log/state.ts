import type { Trouble } from '../api.ts';
import type { Clock } from '../clock.ts';
import type { Asides } from './asides.ts';
import type { Database } from './database.ts';
import type { Deliveries } from './deliveries.ts';
import type { Epochs, MachineStart } from './epochs.ts';
import type { LogLimits } from './limits.ts';
import type { LossLedger } from './loss.ts';
import type { MemoryTopics } from './memory-topics.ts';
import type { Origins } from './origins.ts';
import type { Outcomes } from './outcomes.ts';
import type { Readers } from './readers.ts';
import type { Ring } from './ring.ts';
import type { Topics } from './topics.ts';
import type { TrustedTime } from './trusted-time.ts';
import type { CommitWindow } from './window.ts';

/** What the parts of the log share: the disk's content as far as it is kept in memory. */
export interface LogState {
  readonly database: Database;
  readonly clock: Clock;
  readonly limits: LogLimits;
  readonly trouble: (trouble: Trouble) => void;
  readonly boxId: string;
  readonly machine: string | undefined;
  readonly machineStart: MachineStart | undefined;
  readonly epochs: Epochs;
  readonly topics: Topics;
  readonly origins: Origins;
  readonly readers: Readers;
  readonly asides: Asides;
  readonly deliveries: Deliveries;
  readonly outcomes: Outcomes;
  readonly ring: Ring;
  readonly memory: MemoryTopics;
  readonly window: CommitWindow;
  readonly ledger: LossLedger | undefined;
  readonly time: TrustedTime;
  /** Newest committed seq. */
  head: number;
  /** The first seq since this process opened the store, however often it has been reopened: of what follows the monotonic clock tells. */
  begun: number;
  /** Bytes of all records held. */
  bytes: number;
  /** Seqs of gap records that concern every topic, rising. */
  gaps: number[];
  /** Set while the database is closed and opened again; reads wait for it. */
  reopening: Promise<void> | undefined;
}
