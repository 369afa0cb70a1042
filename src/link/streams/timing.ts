/** How patient a stream is; all in milliseconds. */
export interface Timing {
  readonly negotiation: number;
  readonly idle: number;
  /** How long a peer that confirms may take to answer. */
  readonly answer: number;
  /** How long a close waits for confirmations. */
  readonly settle: number;
  /** How often idleness and late answers are looked for. */
  readonly look: number;
}

export const TIMING: Timing = { negotiation: 10_000, idle: 600_000, answer: 10_000, settle: 2_000, look: 2_000 };
