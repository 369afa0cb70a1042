// What the doctor says.

/** `note`: worth knowing, but nothing is broken by it. */
export type FindingLevel = 'ok' | 'note' | 'problem';

/** What a finding that is not `ok` has found; `docs/TROUBLESHOOTING.md` has a section for each. */
export type FindingCause =
  | 'box-not-running' | 'link-off' | 'no-interface' | 'link-down' | 'no-multicast' | 'port-held' | 'multicast-refused'
  | 'other-subnet' | 'one-way-in' | 'one-way-out' | 'nobody-heard' | 'no-way' | 'multicast-filtered' | 'renamed' | 'clock-unset'
  | 'unknown-peer' | 'peer-gone' | 'peers-left-out' | 'no-address' | 'ipv6-only' | 'port-refused' | 'port-filtered' | 'peer-silent'
  | 'not-seen-by-peer' | 'mtu' | 'no-stream' | 'in-the-clear' | 'key-changed' | 'key-refused' | 'clock-skew' | 'no-rights' | 'not-granted'
  | 'no-home' | 'home-offline' | 'not-finished';

/** One thing that `doctor` looked at, and what it saw. */
export interface Finding {
  /** What was looked at, as `multicast` or `peer-port`. */
  readonly check: string;
  readonly level: FindingLevel;
  /** Absent when it is `ok`. */
  readonly cause?: FindingCause;
  /** One plain sentence. */
  readonly message: string;
  /** Short facts that it is taken from. */
  readonly evidence: readonly string[];
  /** What to do next; every problem has it. */
  readonly advice?: string;
  /** The peer's name on the link, when it is about one. */
  readonly peer?: string;
  readonly interface?: string;
}
