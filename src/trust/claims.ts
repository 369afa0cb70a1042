// Which account is whose alone. The owner says it of a paired key; the key proves it, again every month.
import type { AccountClaim } from '../api.ts';
import type { Clock } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import type { Stamp } from '../log/record.ts';
import { StampAges } from '../log/stamp-age.ts';
import type { Registry } from './registry.ts';

const DAY = 24 * 3_600_000;
/** How long a proof holds, in time that can be trusted. */
export const PROOF_LASTS: number = 30 * DAY;
/** Accounts that can be said to be somebody's. */
const CLAIMS = 64;
const PREFIX = 'claim/';

interface Row {
  readonly fingerprint: string;
  /** When the owner said it, ms since 1970. */
  readonly since: number;
  readonly proof?: Stamp;
}

export interface ClaimsInit {
  readonly registry: Registry;
  readonly clock: Clock;
  /** The log's epoch: what was proven in it shares its monotonic clock. */
  readonly boot: () => string;
  /** The log's. */
  readonly trustedNow: () => number | undefined;
  readonly isPaired: (fingerprint: string) => boolean;
}

/** Bare JIDs, each of one key alone. Nothing comes of a claim before it is proven. */
export class Claims {
  readonly #init: ClaimsInit;
  readonly #rows = new Map<string, Row>();
  readonly #reasons = new Map<string, string>();
  readonly #ages: StampAges;

  constructor(init: ClaimsInit) {
    this.#init = init;
    this.#ages = new StampAges(init);
    for (const [key, row] of init.registry.entries(PREFIX)) if (isRow(row)) this.#rows.set(key.slice(PREFIX.length), row);
  }

  /** The owner says that the account, a normalised bare JID, is used by that key alone. Durable when resolved. */
  async claim(jid: string, fingerprint: string): Promise<void> {
    if (!this.#init.isPaired(fingerprint)) throw new LanpostError('forbidden', 'only a paired key can have an account of its own: pair with it first');
    const before = this.#rows.get(jid);
    if (before && before.fingerprint !== fingerprint) throw new LanpostError('conflict', `${jid} is said to be another key's; disclaim it first`);
    if (before && this.#stored(jid)?.fingerprint === fingerprint) return;
    if (!before && this.#rows.size >= CLAIMS) throw new LanpostError('busy', `${CLAIMS} accounts are claimed already; disclaim one first`);
    // Of two at once the second saw what the first had not stored yet.
    await this.#set(jid, { fingerprint, since: before?.since ?? this.#init.clock.wall() });
  }

  async disclaim(jid: string): Promise<void> {
    if (!this.#rows.has(jid)) throw new LanpostError('not-found', `nobody is said to have ${jid} alone`);
    await this.#set(jid, undefined);
  }

  /** Nothing is said of the key any more. */
  async forget(fingerprint: string): Promise<void> {
    await Promise.all([...this.#rows].filter(([, row]) => row.fingerprint === fingerprint).map(([jid]) => this.#set(jid, undefined)));
  }

  /** The key has just shown that the account is at its disposal. Durable when resolved. */
  async proven(jid: string, fingerprint: string): Promise<void> {
    const row = this.#rows.get(jid);
    if (row?.fingerprint !== fingerprint) throw new LanpostError('not-found', `${jid} is claimed for that key no more`);
    const { clock, boot } = this.#init;
    this.#reasons.delete(jid);
    await this.#set(jid, { ...row, proof: { wall: clock.wall(), mono: clock.mono(), boot: boot(), trusted: clock.isSet() } });
  }

  /** Why it is not proven yet, or not anew. */
  failed(jid: string, reason: string): void {
    if (this.#rows.has(jid)) this.#reasons.set(jid, reason);
  }

  /** Who is said to have the account alone, proven or not. */
  claimant(jid: string): string | undefined {
    return this.#rows.get(jid)?.fingerprint;
  }

  /** Whose the account is, as long as the proof holds and the key is paired: mail for the one goes to the other. */
  holder(jid: string): string | undefined {
    const row = this.#rows.get(jid);
    return row && this.#holds(row) && this.#init.isPaired(row.fingerprint) ? row.fingerprint : undefined;
  }

  /** Milliseconds since the last proof; undefined when there is none. */
  age(jid: string): number | undefined {
    const proof = this.#rows.get(jid)?.proof;
    // Of a proof before a restart nothing is known while the clock is not set: things are kept for longer then.
    return proof && Math.max(0, this.#ages.of(proof) ?? 0);
  }

  jids(): string[] {
    return [...this.#rows.keys()];
  }

  of(fingerprint: string): AccountClaim[] {
    return [...this.#rows].filter(([, row]) => row.fingerprint === fingerprint).map(([jid, row]) => this.#describe(jid, row));
  }

  #holds({ proof }: Row): boolean {
    return proof !== undefined && (this.#ages.of(proof) ?? 0) < PROOF_LASTS;
  }

  #describe(jid: string, row: Row): AccountClaim {
    const { proof, since } = row;
    const reason = this.#reasons.get(jid);
    const why = reason === undefined ? {} : { reason };
    if (!proof) return { address: `xmpp:${jid}`, state: 'unproven', since, ...why };
    if (this.#holds(row)) return { address: `xmpp:${jid}`, state: 'proven', since: proof.wall, ...why };
    return { address: `xmpp:${jid}`, state: 'expired', since: proof.wall + PROOF_LASTS, ...why };
  }

  /** At once, so that whoever takes it back finds what is still being written; what could not be stored is as it is on disk. */
  async #set(jid: string, row: Row | undefined): Promise<void> {
    if (row) this.#rows.set(jid, row);
    else {
      this.#rows.delete(jid);
      this.#reasons.delete(jid);
    }
    try {
      await this.#init.registry.set(PREFIX + jid, row);
    } catch (error) {
      // Something else may have been said meanwhile.
      if (this.#rows.get(jid) === row) this.#recall(jid);
      throw error;
    }
  }

  #recall(jid: string): void {
    const stored = this.#stored(jid);
    if (stored) this.#rows.set(jid, stored);
    else this.#rows.delete(jid);
  }

  #stored(jid: string): Row | undefined {
    const row = this.#init.registry.get(PREFIX + jid);
    return isRow(row) ? row : undefined;
  }
}

function isRow(row: unknown): row is Row {
  return typeof row === 'object' && row !== null && 'fingerprint' in row && typeof row.fingerprint === 'string' && 'since' in row && typeof row.since === 'number'
    && (!('proof' in row) || isStamp(row.proof));
}

function isStamp(stamp: unknown): stamp is Stamp {
  return typeof stamp === 'object' && stamp !== null && 'wall' in stamp && typeof stamp.wall === 'number' && 'mono' in stamp && typeof stamp.mono === 'number'
    && 'boot' in stamp && typeof stamp.boot === 'string' && 'trusted' in stamp && typeof stamp.trusted === 'boolean';
}
