import type { Box, PairingEvent } from './api.ts';
import { LanpostError } from './errors.ts';

/** One pairing, as it stands. */
export interface Pairing {
  readonly id: string;
  readonly peer: string;
  readonly fingerprint?: string;
  /** `answered`: the owner has said yes here, and the other one has not yet. */
  readonly state: 'starting' | 'waiting' | 'words' | 'answered' | 'paired' | 'failed';
  /** `waiting`: ms since 1970. */
  readonly until?: number;
  readonly words?: readonly string[];
  /** `failed`: why, in words. */
  readonly reason?: string;
  /** And as the box tells it; absent when it could not even begin. */
  readonly cause?: FailedPairing['reason'];
  readonly detail?: string;
}

type FailedPairing = Extract<PairingEvent, { type: 'failed' }>;

export interface PairingDeskLimits {
  /** Pairings that are shown, under way or just over. */
  readonly pairings: number;
  /** Milliseconds that one is shown when it is over, unless it is put away. */
  readonly pairingShown: number;
}

export const PAIRING_LIMITS: PairingDeskLimits = { pairings: 8, pairingShown: 120_000 };

interface Entry { pairing: Pairing; readonly stopper: AbortController; over: boolean }

/**
 * Pairings of a box for pages and dialogs, which ask how they stand: they go on while nobody looks.
 *
 * ```js
 * const desk = new PairingDesk({ box });
 * desk.start('hall@hall');
 * const [{ id, words }] = desk.list(); // once both owners have begun
 * await desk.answer(id, words, true);
 * ```
 */
export class PairingDesk {
  readonly #box: Pick<Box, 'trust'>;
  readonly #limits: PairingDeskLimits;
  readonly #changed: () => void;
  readonly #entries: Map<string, Entry> = new Map();
  #count = 0;

  constructor({ box, limits = PAIRING_LIMITS, changed = () => undefined }: { readonly box: Pick<Box, 'trust'>; readonly limits?: PairingDeskLimits; readonly changed?: () => void }) {
    this.#box = box;
    this.#limits = limits;
    this.#changed = changed;
  }

  list(): Pairing[] {
    return [...this.#entries.values()].map(({ pairing }) => pairing);
  }

  start(peer: string): void {
    const under = [...this.#entries.values()].find(({ pairing, over }) => !over && pairing.peer === peer);
    if (under) throw new LanpostError('in-use', 'a pairing with this peer is under way');
    for (const [id, { over }] of this.#entries) if (over && this.#entries.size >= this.#limits.pairings) this.#entries.delete(id);
    if (this.#entries.size >= this.#limits.pairings) throw new LanpostError('busy', `${this.#limits.pairings} pairings are under way: end one first`);
    const id = `p${++this.#count}`;
    const entry: Entry = { pairing: { id, peer, state: 'starting' }, stopper: new AbortController(), over: false };
    this.#entries.set(id, entry);
    this.#changed();
    void this.#follow(entry);
  }

  /** What the owner says of the words that were shown, and of no others. */
  async answer(id: string, words: readonly string[], same: boolean): Promise<void> {
    const entry = this.#entries.get(id);
    const { pairing } = entry ?? {};
    if (!entry || pairing?.state !== 'words' || pairing.words?.join(' ') !== words.join(' ')) throw new LanpostError('not-found', 'these words are not asked about any more');
    this.#set(entry, { ...pairing, state: 'answered' });
    try {
      await this.#box.trust.confirm(pairing.fingerprint ?? pairing.peer, same);
    } catch (error) {
      if (!entry.over) this.#set(entry, pairing);
      throw error;
    }
  }

  /** Ends it; or puts away what is over. */
  stop(id: string): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    this.#entries.delete(id);
    entry.stopper.abort();
    this.#changed();
  }

  close(): void {
    for (const id of this.#entries.keys()) this.stop(id);
  }

  async #follow(entry: Entry): Promise<void> {
    const { signal } = entry.stopper;
    try {
      for await (const event of this.#box.trust.pair(entry.pairing.peer, { signal })) this.#set(entry, told(entry.pairing, event));
    } catch (error) {
      if (!signal.aborted) this.#set(entry, { ...entry.pairing, state: 'failed', reason: error instanceof Error ? error.message : String(error) });
    }
    entry.over = true;
    if (signal.aborted) return; // it is put away already
    const away = setTimeout(() => this.stop(entry.pairing.id), this.#limits.pairingShown);
    away.unref();
    signal.addEventListener('abort', () => clearTimeout(away), { once: true });
  }

  #set(entry: Entry, pairing: Pairing): void {
    entry.pairing = pairing;
    if (this.#entries.has(pairing.id)) this.#changed();
  }
}

const REASONS: Readonly<Record<FailedPairing['reason'], string>> = {
  expired: 'The two minutes are over. Start it on both boxes, and answer on both.',
  tries: 'The peer tried too often. Start again on both boxes when you trust the network.',
  refused: 'One of you said that the words differ: nothing was paired. If they really differed, somebody is in between.',
  closed: 'The box was stopped.',
  failed: 'It failed.',
};

function told({ id }: Pairing, event: PairingEvent): Pairing {
  const { peer, fingerprint } = event;
  switch (event.type) {
    case 'waiting': return { id, peer, fingerprint, state: 'waiting', until: event.until };
    case 'words': return { id, peer, fingerprint, state: 'words', words: event.words };
    case 'paired': return { id, peer, fingerprint, state: 'paired' };
    default: return {
      id, peer, fingerprint, state: 'failed', cause: event.reason,
      ...(event.detail === undefined ? {} : { detail: event.detail }),
      reason: event.reason === 'failed' && event.detail !== undefined ? `${REASONS.failed} ${event.detail}` : REASONS[event.reason],
    };
  }
}
