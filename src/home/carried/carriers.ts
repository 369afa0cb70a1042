// Which boxes may publish for this one, with their keys and accounts; and what was given to them in files. Kept in the registry.
import { LanpostError } from '../../errors.ts';
import type { Registry } from '../../log/registry.ts';

export interface Carrier {
  readonly fingerprint: string;
  /** SubjectPublicKeyInfo: what files are encrypted to. */
  readonly spki: Uint8Array;
  /** Bare JID that it publishes as. */
  readonly account: string;
  /** This box's account whose nodes it may publish to. */
  readonly jid: string;
}

/** One that was taken back here, and not at its home yet. */
export interface Withdrawn extends Pick<Carrier, 'fingerprint' | 'account' | 'jid'> {
  /** What the box was called then. */
  readonly name?: string;
}

/** One file that was written: which records, and for whom. */
export interface Export {
  readonly id: string;
  readonly fingerprint: string;
  readonly jid: string;
  readonly sha256: string;
  /** ms since 1970. */
  readonly created: number;
  readonly expires: number;
  /** Positions in the log: first and last of each run, in order, flat. */
  readonly runs: readonly number[];
  readonly confirmed?: boolean;
}

const CARRIERS = 16;
const EXPORTS = 32;
const CARRIER = 'carrier/';
const WITHDRAWN = 'carrier-withdrawn/';
const EXPORT = 'carried-out/';

export class Carriers {
  readonly #registry: Registry;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  /** Nobody may publish for this one, and nothing is to be taken back. */
  get isEmpty(): boolean {
    return this.#registry.entries(CARRIER).length === 0 && this.#registry.entries(WITHDRAWN).length === 0;
  }

  list(): Carrier[] {
    return this.#registry.entries(CARRIER).flatMap(([, row]) => (isCarrier(row) ? [row] : []));
  }

  of(fingerprint: string): Carrier | undefined {
    const row = this.#registry.get(CARRIER + fingerprint);
    return isCarrier(row) ? row : undefined;
  }

  async add(carrier: Carrier): Promise<void> {
    await this.#registry.setAll([[CARRIER + carrier.fingerprint, { ...carrier, spki: Uint8Array.from(carrier.spki) }], [placeOf(carrier), undefined]]);
  }

  /** Throws when there are too many for one more. */
  checkRoom(fingerprint: string): void {
    if (!this.of(fingerprint) && this.list().length + this.withdrawn().length >= CARRIERS) throw new LanpostError('busy', `${CARRIERS} boxes may publish for this one already, or did and the home has yet to hear: deny one first.`);
  }

  /** It may not any more; what its account has at the home is to be taken back. */
  async withdraw({ fingerprint, account, jid }: Carrier, name: string | undefined): Promise<void> {
    const row: Withdrawn = { fingerprint, account, jid, ...(name === undefined ? {} : { name }) };
    await this.#registry.setAll([[placeOf(row), row], [CARRIER + fingerprint, undefined]]);
  }

  withdrawn(): Withdrawn[] {
    return this.#registry.entries(WITHDRAWN).flatMap(([, row]) => (isWithdrawn(row) ? [row] : []));
  }

  /** The home has done so. */
  async settled(one: Withdrawn): Promise<void> {
    await this.#registry.set(placeOf(one), undefined);
  }

  /** By the name that the box had when it was taken back, or 16 digits of its key. */
  withdrawnOf(peer: string): Withdrawn | undefined {
    const name = peer.startsWith('link:') ? peer.slice('link:'.length) : peer;
    return this.withdrawn().find((one) => (peer.length >= 16 && one.fingerprint.startsWith(peer.toLowerCase())) || one.name === name);
  }

  async remove(fingerprint: string): Promise<void> {
    await this.#registry.set(CARRIER + fingerprint, undefined);
  }

  exports(): Export[] {
    return this.#registry.entries(EXPORT).flatMap(([, row]) => (isExport(row) ? [row] : [])).toSorted((a, b) => a.created - b.created);
  }

  /** For one more file, at that time, 0 where it is not known: those that nobody can confirm any more give way, then the oldest that is confirmed. Gives which went. */
  async makeRoom(now: number): Promise<string[]> {
    const gone = this.exports().filter(({ expires }) => expires + GRACE < now);
    const left = this.exports().filter((one) => !gone.some(({ id }) => id === one.id));
    const [oldest] = left.filter(({ confirmed }) => confirmed);
    if (left.length >= EXPORTS) {
      if (!oldest) throw new LanpostError('busy', `${EXPORTS} files are not confirmed and not expired yet.`);
      gone.push(oldest);
    }
    for (const { id } of gone) await this.forget(id);
    return gone.map(({ id }) => id);
  }

  async keep(one: Export): Promise<void> {
    await this.#registry.set(EXPORT + one.id, { ...one, runs: [...one.runs] });
  }

  async forget(id: string): Promise<void> {
    await this.#registry.set(EXPORT + id, undefined);
  }
}

/** A file may have been imported in its last moment, and its confirmation be on its way. */
const GRACE = 30 * 24 * 3_600_000;

/** An account has what it has at a home whichever box uses it. */
export function isSamePlace(one: Withdrawn, other: Withdrawn): boolean {
  return placeOf(one) === placeOf(other);
}

function placeOf({ jid, account }: Withdrawn): string {
  return `${WITHDRAWN}${jid}\n${account}`;
}

function isWithdrawn(row: unknown): row is Withdrawn {
  return typeof row === 'object' && row !== null && 'fingerprint' in row && 'account' in row && 'jid' in row;
}

function isCarrier(row: unknown): row is Carrier {
  return typeof row === 'object' && row !== null && 'fingerprint' in row && 'spki' in row && 'account' in row && 'jid' in row;
}

function isExport(row: unknown): row is Export {
  return typeof row === 'object' && row !== null && 'id' in row && 'sha256' in row && 'runs' in row && Array.isArray(row.runs);
}
