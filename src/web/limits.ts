import { PAIRING_LIMITS, type PairingDeskLimits } from '../index.ts';

/** Bounds of the status page; `docs/LIMITS.md` lists them. */
export interface WebLimits extends PairingDeskLimits {
  /** Pages that are open at once. */
  readonly watchers: number;
  /** Rows of each table; of more it says how many. */
  readonly topics: number;
  readonly peers: number;
  readonly subscriptions: number;
  readonly losses: number;
  /** Characters of a value. */
  readonly valueCharacters: number;
  /** Bytes of what a page sends. */
  readonly bodyBytes: number;
  /** Milliseconds between two looks at the box, at least. */
  readonly look: number;
  /** How many times as long as a look took the pause after it is: looking takes a twentieth of one core. */
  readonly pauses: number;
  /** Milliseconds that a pause has at most: a look is long, too, when others have the machine. */
  readonly longestPause: number;
  /** Topics with numbers of their own in /metrics: those with the newest records. */
  readonly metricTopics: number;
  /** Milliseconds for which what was gathered for /metrics is good. */
  readonly metricsAge: number;
}

export const WEB_LIMITS: WebLimits = {
  watchers: 16,
  topics: 200,
  peers: 500,
  subscriptions: 500,
  losses: 100,
  ...PAIRING_LIMITS,
  valueCharacters: 240,
  bodyBytes: 4096,
  look: 1000,
  pauses: 20,
  longestPause: 5000,
  metricTopics: 1000,
  metricsAge: 1000,
};
