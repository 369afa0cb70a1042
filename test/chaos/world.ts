import type { HomeServer } from '../support/homes.ts';
import type { Lan } from '../support/lan.ts';
import type { Wire } from '../support/wire.ts';
import type { ChaosBox } from './chaos-box.ts';
import type { Excused } from './excused.ts';
import type { Witness } from './witness.ts';

/** Hosts of the LAN. */
export const [SERVER, UPPER, LOWER] = [1, 2, 3];
/** Packed, packed, and one item each with an id of its own. */
export const TOPICS = ['plant/boiler', 'plant/pump', 'door'] as const;
export const ALONE = TOPICS[2];
/** What waits for longer than that is not sent: it is counted as lost. */
export const SHORT = 'short/level';
export const EXPIRE = 1_500;
export const RULES = [{ filter: 'plant/#', pack: true }, { filter: ALONE }, { filter: 'short/#', expire: EXPIRE }];
/** Within that, after the last fault, all is right again. */
export const HEALED = 120_000;

export interface World {
  readonly lan: Lan;
  readonly server: HomeServer;
  readonly wire: Wire;
  readonly up: ChaosBox;
  readonly down: ChaosBox;
  readonly random: () => number;
  /** Publishes so many readings, over the topics, or to one. */
  readonly publish: (count: number, topic?: typeof TOPICS[number] | typeof SHORT) => Promise<void>;
  readonly witness: Witness;
  /** First number that is published in each round. */
  readonly firsts: number[];
  /** What had come to both when its node was deleted at home: that takes it away below as well, sooner or later, so there it stays excused. */
  readonly excused: { readonly atHome: Excused; readonly below: Excused };
  /** How many of the newest items the server lost, each time. */
  readonly lost: number[];
  /** The owner says the password once more. */
  readonly add: () => Promise<unknown>;
}

/** Position in the log of the box that accepted it. */
export const seqOf = (recordId: string): number => Number(recordId.slice(recordId.lastIndexOf('-') + 1));
