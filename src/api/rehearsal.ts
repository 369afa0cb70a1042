// An outage that is tried out.

export interface RehearseOptions {
  /** Account whose road is cut, of a group the one in use; default the only home, or that one of the only group. */
  readonly home?: string;
  /** How long, ms: 1 s to 1 day. */
  readonly outage: number;
  /** Records a second that are published meanwhile. Default 10; at most 20 000 in all. */
  readonly rate?: number;
  /** Ends it: the road is there again at once, and what it made goes. */
  readonly signal?: AbortSignal;
}

/** How far a rehearsal is, once a second; the last has the `report`. */
export interface RehearsalEvent {
  /** `before` and `cut`: it publishes. `draining`: the road is there again. `reading`: the home is asked what it has. */
  readonly phase: 'before' | 'cut' | 'draining' | 'reading' | 'clearing' | 'over';
  readonly home: string;
  /** Records that were accepted, and that the home has acknowledged. */
  readonly sent: number;
  readonly drained: number;
  /** Most bytes that they had on disk so far. */
  readonly bytes: number;
  /** Ms until the phase is over, where that is known. */
  readonly left?: number;
  readonly report?: RehearsalReport;
}

export interface RehearsalReport {
  readonly home: string;
  readonly outage: number;
  readonly rate: number;
  readonly passed: boolean;
  /** Records that the log accepted; that it had when all was published; that the home acknowledged. */
  readonly sent: number;
  readonly stored: number;
  readonly drained: number;
  /** Of those accepted: not at home when it was asked for each of them (of a group: at none that was in use meanwhile); at one home more than once. */
  readonly lost: number;
  readonly doubled: number;
  /** Neither drained nor lost: they had waited for longer than the rule's `expire`. Absent where none did. */
  readonly expired?: number;
  /** At more than one home of a group, under the same record id, as may be when another goes on. Absent where none are. */
  readonly repeated?: number;
  /** For how long the home's byte budget let nothing go, ms; absent where it never did. */
  readonly budgetWait?: number;
  /** Most bytes that they had on disk. */
  readonly peakBytes: number;
  /** The home's node keeps fewer than were sent: so many of the newest were looked for. */
  readonly kept?: number;
  /** Ms from the end of the outage to a session, and until nothing waited; absent where that never came. */
  readonly reconnected?: number;
  readonly emptied?: number;
  /** Why it has not passed, in words; empty when it has. */
  readonly why: readonly string[];
}
