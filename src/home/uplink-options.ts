// What an uplink is told when it is made.
import type { Trouble } from '../api.ts';
import type { Clock } from '../clock.ts';
import type { Log } from '../log/log.ts';
import type { CursorNumbers } from './account.ts';
import type { Budget } from './budget.ts';
import type { Carried } from './carried.ts';
import type { Rule } from './up-rule.ts';

export interface UplinkLimits {
  /** Acknowledged this long ago on an unbroken session: settled; ms. */
  readonly settle: number;
  /** Bytes of one serialised stanza; more is put aside rather than kill the stream for all. */
  readonly stanza: number;
  /** After a session was taken up again, what was under way is answered within that, or its answer was lost; ms. */
  readonly overdue: number;
  /** Records and bytes read ahead of what is in flight. */
  readonly ahead: number;
  readonly aheadBytes: number;
  /** Records, where they may go several in one item; bytes are then twice as many. */
  readonly packAhead: number;
}

export interface UplinkOptions {
  readonly jid: string;
  /** Whose cursors they are: the account's, or its group's. */
  readonly reader: string;
  /** Whose packs: each home has its own. */
  readonly packer: string;
  readonly service: string;
  /** Whether the account's own service may take its place. */
  readonly open: boolean;
  readonly rules: readonly Rule[];
  readonly cursors: CursorNumbers;
  /** Of the home, whoever else uses it up as well. */
  readonly budget?: Pick<Budget, 'admits' | 'spend' | 'wait'> | undefined;
  readonly boxId: string;
  readonly log: Log;
  readonly clock: Clock;
  readonly trouble: (trouble: Trouble) => void;
  readonly limits: UplinkLimits;
  /** The item is being retracted at the home's node: whether the home will tell us of it as well. */
  readonly retracting?: ((service: string, node: string, id: string, told: boolean) => void) | undefined;
  /** Told which records have expired, in place of the ledger. */
  readonly expired?: ((recordIds: readonly string[]) => void) | undefined;
  /** The home has acknowledged something. */
  readonly moved?: (() => void) | undefined;
  /** Whether it is the service of another home that reads with this one. */
  readonly served?: ((service: string) => boolean) | undefined;
  /** What other boxes have brought to the home, or may have. */
  readonly carried: Carried;
}
