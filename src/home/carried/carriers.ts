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

/** What an account has at a home it has whichever box uses it. */
export type Place = Pick<Carrier, 'account' | 'jid'>;

/** Where an account was made publisher. */
export interface GivenNode {
  readonly service: string;
  readonly node: string;
}

/** One that was taken back here, and not at its home yet. */
export interface Withdrawn extends Place, Pick<Carrier, 'fingerprint'> {
  /** What the box was called then. */
  readonly name?: string;
}

/** One file that was written: which records, and for whom. */
export interface Export {
  readonly id: string;
  readonly fingerprint: string;
  readonly jid: string;
  /** Where its records are published; undefined where an earlier version did not note that. */
  readonly service?: string;
  readonly sha256: string;
  /** ms since 1970. */
  readonly created: number;
  readonly expires: number;
  /** Positions in the log: first and last of each run, in order, flat. */
  readonly runs: readonly number[];
  readonly confirmed?: boolean;
}

const CARRIERS = 16;
/** Remembered of one account. */
const NODES = 20_000;
const EXPORTS = 32;
const CARRIER = 'carrier/';
const WITHDRAWN = 'carrier-withdrawn/';
const GIVEN = 'carrier-nodes/';
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

  /**
   * Before anything is asked of the home: these are the nodes, with those it has. Until it is added, what it may have been given is to be
   * taken back.
   */
  async begin(carrier: Carrier, name: string | undefined, nodes: readonly GivenNode[]): Promise<void> {
    if (nodes.length > NODES) throw new LanpostError('too-large', `${carrier.account} would publish, or did, to more than ${NODES} nodes: deny it first, or let fewer topics go up to ${carrier.jid}.`);
    const former = this.of(carrier.fingerprint);
    await this.#registry.setAll([nodesRow(carrier, nodes), ...(former && isSamePlace(former, carrier) ? [] : [withdrawnRow(carrier, name)])]);
  }

  /** Which nodes it were after all. */
  async gave(place: Place, nodes: readonly GivenNode[]): Promise<void> {
    await this.#registry.setAll([nodesRow(place, nodes)]);
  }

  /** Where the account publishes, or may; undefined when that was not noted, as by earlier versions. Empty for one that never did. */
  given(place: Place): GivenNode[] | undefined {
    const row = this.#registry.get(GIVEN + placeOf(place));
    if (Array.isArray(row)) return row.flatMap((one) => (Array.isArray(one) ? [{ service: String(one[0]), node: String(one[1]) }] : []));
    return [...this.list(), ...this.withdrawn()].some((other) => isSamePlace(other, place)) ? undefined : [];
  }

  /** What the box had by another account is to be taken back. */
  async add(carrier: Carrier): Promise<void> {
    const former = this.of(carrier.fingerprint);
    await this.#registry.setAll([
      [CARRIER + carrier.fingerprint, { ...carrier, spki: Uint8Array.from(carrier.spki) }], [WITHDRAWN + placeOf(carrier), undefined],
      ...(former && !isSamePlace(former, carrier) ? [withdrawnRow(former, undefined)] : []),
    ]);
  }

  /** Throws when there are too many for one more. */
  checkRoom(carrier: Carrier): void {
    const former = this.of(carrier.fingerprint);
    if (former && isSamePlace(former, carrier)) return;
    const others = [...this.list().filter(({ fingerprint }) => fingerprint !== carrier.fingerprint), ...this.withdrawn().filter((one) => !isSamePlace(one, carrier))];
    if (others.length >= CARRIERS) throw new LanpostError('busy', `${CARRIERS} boxes may publish for this one already, or did and the home has yet to hear: deny one first.`);
  }

  /** It may not any more; what its account has at the home is to be taken back. */
  async withdraw(carrier: Carrier, name: string | undefined): Promise<void> {
    await this.#registry.setAll([withdrawnRow(carrier, name), [CARRIER + carrier.fingerprint, undefined]]);
  }

  withdrawn(): Withdrawn[] {
    return this.#registry.entries(WITHDRAWN).flatMap(([, row]) => (isWithdrawn(row) ? [row] : []));
  }

  /** The home has done so. */
  async settled(one: Withdrawn): Promise<void> {
    await this.#registry.setAll([[WITHDRAWN + placeOf(one), undefined], ...this.#unlessUsed(one, this.list())]);
  }

  /** By the name that the box had when it was taken back, or 16 digits of its key. */
  withdrawnOf(peer: string): Withdrawn | undefined {
    const name = peer.startsWith('link:') ? peer.slice('link:'.length) : peer;
    return this.withdrawn().find((one) => (peer.length >= 16 && one.fingerprint.startsWith(peer.toLowerCase())) || one.name === name);
  }

  async remove(carrier: Carrier): Promise<void> {
    const others = [...this.list().filter(({ fingerprint }) => fingerprint !== carrier.fingerprint), ...this.withdrawn()];
    await this.#registry.setAll([[CARRIER + carrier.fingerprint, undefined], ...this.#unlessUsed(carrier, others)]);
  }

  /** The account's nodes are forgotten, if nobody else has it or is to lose it. */
  #unlessUsed(place: Place, others: readonly Place[]): Row[] {
    return others.some((other) => isSamePlace(other, place)) ? [] : [[GIVEN + placeOf(place), undefined]];
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

export function isSamePlace(one: Place, other: Place): boolean {
  return placeOf(one) === placeOf(other);
}

function placeOf({ jid, account }: Place): string {
  return `${jid}\n${account}`;
}

type Row = readonly [key: string, value: unknown];

function withdrawnRow({ fingerprint, account, jid }: Carrier, name: string | undefined): Row {
  const row: Withdrawn = { fingerprint, account, jid, ...(name === undefined ? {} : { name }) };
  return [WITHDRAWN + placeOf(row), row];
}

function nodesRow(place: Place, nodes: readonly GivenNode[]): Row {
  return [GIVEN + placeOf(place), nodes.map(({ service, node }) => [service, node])];
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
