// The outbox that is carried: what waits for a home goes in a file to another box, which publishes it there as itself, and says so
// in another file. Ids are what they are everywhere, so what both publish is one item.
import { type FileHandle, open, readFile, stat, writeFile } from 'node:fs/promises';
import type { Carrier as AllowedCarrier, OutboxExport, OutboxImport, Trouble } from '../../api.ts';
import type { Clock } from '../../clock.ts';
import { LanpostError } from '../../errors.ts';
import type { Log } from '../../log/log.ts';
import { RecordAges } from '../../log/stamp-age.ts';
import { boxIdOfFingerprint } from '../../trust/fingerprint.ts';
import type { Identity } from '../../trust/identity.ts';
import type { Sealer } from '../../trust/seal.ts';
import { type Opened, readHeader, readSealed, verifySealed } from '../../trust/sealed-file.ts';
import { parseJid } from '../../xmpp/jid.ts';
import { StanzaError } from '../../xmpp/stanza-error.ts';
import { cursorNumbers, keyOf } from '../account.ts';
import { readerOf } from '../cursor-name.ts';
import type { Home } from '../home.ts';
import type { NodeSettings } from '../node.ts';
import { reasonOf } from '../reason.ts';
import { nodeOf } from '../up-rule.ts';
import { affiliate } from './affiliations.ts';
import { type CarriedRecord, unframed } from './carried-record.ts';
import type { CarriedMarks } from './carried-marks.ts';
import { type Carrier, Carriers, type GivenNode, isSamePlace } from './carriers.ts';
import { CONFIRMATION_BYTES, EXPIRED, readConfirmation, writeConfirmation } from './confirmation.ts';
import { type About, isCarriable, RECORDS, writeExport } from './exporting.ts';
import { publishCarried } from './publishing.ts';
import { Runs, without } from './runs.ts';
import { Withdrawals } from './withdrawals.ts';

const MONTH = 30 * 24 * 3_600_000;
/** The longest that a file may be good for. */
const MOST = 365 * 24 * 3_600_000;
/** Imports remembered; the oldest go first. */
const IMPORTS = 256;
const IMPORT = 'carried-in/';
const ANSWER = 60_000;

export interface CarriedParts {
  readonly log: Log;
  readonly clock: Clock;
  readonly trouble: (trouble: Trouble) => void;
  readonly identity: Identity;
  readonly sealer: Sealer;
  readonly homes: () => readonly Home[];
  /** While no home is changed. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
  readonly marks: CarriedMarks;
  readonly isPaired: (fingerprint: string) => boolean;
  /** What it is called or, revoked, was. */
  readonly nameOf: (fingerprint: string) => string | undefined;
  readonly limits: { readonly settle: number; readonly stanza: number };
}

/** A box, and its key. */
export interface Party {
  readonly fingerprint: string;
  readonly spki: Uint8Array;
}

export class CarriedOutbox {
  readonly #parts: CarriedParts;
  readonly #carriers: Carriers;
  readonly #withdrawals: Withdrawals;
  #importing = false;

  constructor(parts: CarriedParts) {
    this.#parts = parts;
    const carriers = this.#carriers = new Carriers(parts.log.registry);
    const { clock, trouble, homes } = parts;
    this.#withdrawals = new Withdrawals({ carriers, clock, trouble, homes, take: (home, account) => this.#take(home, account) });
  }

  allow(party: Party, account: string, home: string | undefined): Promise<AllowedCarrier> {
    return this.#withdrawals.inTurn(() => this.#allow(party, account, home));
  }

  async #allow({ fingerprint, spki }: Party, account: string, home: string | undefined): Promise<AllowedCarrier> {
    const { isPaired } = this.#parts;
    if (!isPaired(fingerprint)) throw new LanpostError('forbidden', 'Only a paired box may publish for this one.');
    const own = this.#homeOf(home);
    if (own.pep) throw new LanpostError('unsupported', `What goes up to ${own.account.jid} goes to the account's own service (PEP), to which no other account publishes.`);
    const carrier: Carrier = { fingerprint, spki, account, jid: own.account.jid };
    this.#carriers.checkRoom(carrier);
    // Nothing would be given that had to be taken back.
    if (!own.online) throw new LanpostError('unreachable', `${own.account.jid} is not connected.`);
    try {
      await this.#give(own, carrier);
      await this.#carriers.add(carrier);
    } finally {
      // What was given although it failed, or by another account before, goes.
      this.#withdrawals.look();
    }
    if (!isPaired(fingerprint)) {
      await this.takeBack();
      throw new LanpostError('forbidden', 'That box is not paired any more.');
    }
    return this.#told(carrier);
  }

  /** `fingerprint`: of the key that is called so now. A box that was revoked is found by what it was called. */
  deny(peer: string, fingerprint: string | undefined): Promise<void> {
    return this.#withdrawals.inTurn(async () => {
      const carrier = fingerprint === undefined ? undefined : this.#carriers.of(fingerprint);
      const withdrawn = carrier ? undefined : this.#carriers.withdrawnOf(fingerprint ?? peer) ?? this.#carriers.withdrawnOf(peer);
      const one = carrier ?? withdrawn;
      if (!one) throw new LanpostError('not-found', `${peer} may not publish for this box: see \`lanpost outbox list\`.`);
      const isOthers = this.#carriers.list().some((other) => other.fingerprint !== carrier?.fingerprint && isSamePlace(other, one));
      // One that is kept and cannot be taken up now, or is being changed, may yet do it.
      const isGone = !isOthers && this.#parts.log.registry.get(keyOf(one.jid)) === undefined;
      if (isGone) {
        if (carrier) await this.#carriers.remove(carrier);
        if (withdrawn) await this.#carriers.settled(withdrawn);
        throw new LanpostError('unreachable', `${peer} may not publish for this box any more, but ${one.jid} is no home of it now: what ${one.account} may publish there is to be taken back there by hand.`);
      }
      if (withdrawn) return this.#withdrawals.settle(withdrawn);
      if (!carrier) return;
      if (!isOthers) await this.#take(this.#homeOf(carrier.jid), carrier.account);
      await this.#carriers.remove(carrier);
    });
  }

  /** Whoever is paired no more may not publish for this box any more: here when this resolves, at its home as soon as that is reached. */
  async takeBack(): Promise<void> {
    const { isPaired, nameOf } = this.#parts;
    for (const carrier of this.#carriers.list()) if (!isPaired(carrier.fingerprint)) await this.#carriers.withdraw(carrier, nameOf(carrier.fingerprint));
    this.#withdrawals.look();
  }

  close(): Promise<void> {
    return this.#withdrawals.close();
  }

  list(): AllowedCarrier[] {
    return this.#carriers.list().filter(({ fingerprint }) => this.#parts.isPaired(fingerprint)).map((carrier) => this.#told(carrier));
  }

  async export(path: string, fingerprint: string, expires: number = MONTH): Promise<OutboxExport> {
    if (typeof expires !== 'number' || !(expires > 0 && expires <= MOST)) throw new TypeError('expires must be milliseconds, at most a year');
    const carrier = this.#carriers.of(fingerprint);
    if (!carrier) throw new LanpostError('not-found', 'That box may not publish for this one yet: `lanpost outbox allow` says so, while it is on the link.');
    const { log, clock, identity, sealer, isPaired, marks } = this.#parts;
    if (!isPaired(fingerprint)) throw new LanpostError('forbidden', 'That box is not paired any more.');
    const { account, pep } = this.#homeOf(carrier.jid);
    if (pep) throw new LanpostError('unsupported', `What goes up to ${account.jid} goes to the account's own service (PEP), to which no other account publishes.`);
    if (!isOfNoAccount(account.service)) throw new LanpostError('forbidden', `What goes up to ${account.jid} goes to the nodes of an account, ${account.service}: nobody may carry that there.`);
    const now = clock.wall();
    // Before anything is written: what nobody knows of could not be confirmed. By time that no jump of the clock makes.
    for (const id of await this.#carriers.makeRoom(log.trustedNow() ?? 0)) marks.forgotten(id);
    let id: string | undefined;
    try {
      return await writeExport(path, carrier, Math.round(now + expires), {
        log, account, identity, sealer, now, ages: new RecordAges(log, clock), cursors: cursorNumbers(log.registry, account.jid),
        keep: async (kept) => {
          // By other rules these records may have gone in packs meanwhile.
          if (!this.#parts.homes().some((home) => home.account === account)) throw new LanpostError('conflict', `The rules of ${account.jid} were changed while the file was written: write it again.`);
          id = kept.id;
          marks.given(kept);
          await this.#carriers.keep(kept);
        },
      });
    } catch (error) {
      // There is no such file.
      if (id !== undefined) await this.#carriers.forget(id).then(() => marks.forgotten(id ?? ''), () => undefined);
      throw error;
    }
  }

  async import(path: string, confirmation: string, signal: AbortSignal): Promise<OutboxImport> {
    if (this.#importing) throw new LanpostError('busy', 'A file is being imported; wait for it.');
    this.#importing = true;
    try {
      const file = await open(path).catch((error: unknown) => { throw unreadable(path, error); });
      try {
        return await this.#imported(file, confirmation, signal);
      } finally {
        await file.close();
      }
    } finally {
      this.#importing = false;
    }
  }

  async #imported(file: FileHandle, confirmation: string, signal: AbortSignal): Promise<OutboxImport> {
    const { identity, isPaired } = this.#parts;
    // Before the whole of it is read: who it is from, as it says, and what it is.
    aboutOf((await readHeader(file)).header.about);
    const opened = await verifySealed(file, identity);
    if (!isPaired(opened.author)) throw new LanpostError('forbidden', `The file is from a key that is not paired, ${opened.author.slice(0, 16)}…`);
    const records = async function* all(): AsyncGenerator<CarriedRecord> {
      for await (const frame of readSealed(file, identity, opened)) yield* unframed(frame);
    };
    // All of it is what it should be before any of it is published.
    const own = `${boxIdOfFingerprint(opened.author)}-`;
    let count = 0;
    for await (const { record } of records()) {
      if (!record.recordId.startsWith(own)) throw new LanpostError('corrupt', 'The file holds records of another box than its author.');
      count += 1;
      if (count > RECORDS) throw new LanpostError('too-large', `A file has at most ${RECORDS} records.`);
    }
    return this.#published(aboutOf(opened.header.about), opened, records, confirmation, signal);
  }

  async #published(about: About, opened: Opened, records: () => AsyncIterable<CarriedRecord>, confirmation: string, signal: AbortSignal): Promise<OutboxImport> {
    const { clock, sealer, limits } = this.#parts;
    const { log } = this.#parts;
    const { registry } = log;
    const before = registry.get(IMPORT + about.id);
    let done: Imported;
    if (isImported(before) && before.sha256 === opened.sha256) done = { ...before, published: 0, present: before.published + before.present };
    else {
      if (clock.wall() > about.expires) throw new LanpostError('expired', `The file was good until ${new Date(about.expires).toISOString()}.`);
      const published = await publishCarried(records, {
        clock, signal, service: about.service, stanzaBytes: limits.stanza, settle: limits.settle, home: () => this.#homeFor(about.service), trustedNow: () => log.trustedNow(),
      });
      done = { ...published, refused: [...published.refused], expired: published.expired.length, expiredRuns: [...Runs.around(published.expired, EXPIRED).flat], sha256: opened.sha256, at: clock.wall() };
      await this.#remember(about.id, done);
    }
    await writeFile(confirmation, writeConfirmation({ id: about.id, sha256: opened.sha256, author: opened.author, refused: done.refused, expired: done.expiredRuns ?? [] }, sealer), { mode: 0o600, flush: true });
    const { records: count, published, present, refused, expired = 0 } = done;
    return { id: about.id, author: opened.author, records: count, published, present, refused: refused.length, expired, confirmation };
  }

  async #remember(id: string, done: Imported): Promise<void> {
    const { registry } = this.#parts.log;
    await registry.set(IMPORT + id, done);
    const rows = registry.entries(IMPORT).flatMap(([key, row]): [string, number][] => (isImported(row) ? [[key, row.at]] : []));
    for (const [key] of rows.toSorted(([, a], [, b]) => a - b).slice(0, Math.max(0, rows.length - IMPORTS))) await registry.set(key, undefined);
  }

  async confirm(path: string): Promise<{ readonly id: string; readonly records: number }> {
    const { marks, identity, isPaired } = this.#parts;
    const { size } = await stat(path).catch((error: unknown) => { throw unreadable(path, error); });
    if (size > CONFIRMATION_BYTES) throw new LanpostError('too-large', `${path} is too large for a confirmation.`);
    const said = readConfirmation(await readFile(path, 'utf8'));
    const exported = this.#carriers.exports().find(({ id }) => id === said.id);
    if (said.author !== identity.fingerprint) throw new LanpostError('forbidden', 'That confirmation is for another box.');
    if (!exported) throw new LanpostError('not-found', 'This box has written no such file, or knows of it no more.');
    if (!isPaired(said.signer)) throw new LanpostError('forbidden', 'That confirmation is from a key that is not paired any more.');
    if (exported.fingerprint !== said.signer) throw new LanpostError('forbidden', 'That confirmation is not signed by the box that the file was for.');
    if (exported.sha256 !== said.sha256) throw new LanpostError('conflict', 'That confirmation is of another file.');
    const there = without(exported.runs, [...said.refused.flatMap((seq) => [seq, seq]), ...said.expired]);
    const { homes, inTurn } = this.#parts;
    return inTurn(async () => {
      const account = homes().find((home) => home.account.jid === exported.jid)?.account;
      if (!account) throw new LanpostError('not-found', `There is no home ${exported.jid} now that it could be confirmed for.`);
      if (exported.service !== undefined && exported.service !== account.service) throw new LanpostError('conflict', `What that file holds was published at ${exported.service}, and what goes up to ${exported.jid} goes to ${account.service} now: it goes there, too.`);
      const reader = readerOf(account);
      await marks.add(reader, there);
      await this.#carriers.keep({ ...exported, confirmed: true });
      for (const home of homes()) if (readerOf(home.account) === reader) home.uplink.carriedMore();
      return { id: said.id, records: there.size };
    });
  }

  /** Topics and rules may be others when it is taken back: the nodes are noted, and before they are given, for power may go at any time. */
  async #give(home: Home, carrier: Carrier): Promise<void> {
    const before = this.#carriers.given(carrier);
    const nodes = this.#nodesOf(home);
    await this.#carriers.begin(carrier, this.#parts.nameOf(carrier.fingerprint), together(before ?? [], nodes));
    let done = 0;
    try {
      for (const { accessModel, ...at } of nodes) {
        await this.#affiliate(home, at, { jid: carrier.account, affiliation: 'publisher', settings: { accessModel } });
        done += 1;
      }
    } catch (error) {
      // Where the home refuses to give, it would refuse for ever to take back.
      const given = nodes.slice(0, isRefusal(error) ? done : done + 1);
      if (before) await this.#carriers.gave(carrier, together(before, given)).catch(() => undefined); // so it is tried at all of them
      throw told(error, nodes[done]);
    }
  }

  /** From where it was made publisher; and from where it would be now, for earlier versions did not note that. */
  async #take(home: Home, account: string): Promise<void> {
    const given = this.#carriers.given({ jid: home.account.jid, account });
    let failure: unknown;
    for (const [n, at] of together(given ?? [], this.#nodesOf(home)).entries()) {
      try {
        await this.#affiliate(home, at, { jid: account, affiliation: 'none', settings: { accessModel: 'whitelist' } });
      } catch (error) {
        if (!(error instanceof StanzaError)) throw error;
        const isNothing = error.condition === 'item-not-found' || (given !== undefined && n >= given.length);
        // What can be taken back is, whatever becomes of the rest.
        if (!isNothing) failure ??= told(error, at);
      }
    }
    if (failure !== undefined) throw failure;
  }

  #affiliate(home: Home, { service, node }: GivenNode, what: Pick<Parameters<typeof affiliate>[1], 'jid' | 'affiliation' | 'settings'>): Promise<void> {
    return affiliate((iq) => home.request(iq, ANSWER), { service, node, ...what });
  }

  /** Where what goes up to that home in files belongs, as topics and rules are now. */
  #nodesOf(home: Home): (GivenNode & Pick<NodeSettings, 'accessModel'>)[] {
    const { log, identity } = this.#parts;
    const { rules, service } = home.account;
    const nodes = new Map<string, GivenNode & Pick<NodeSettings, 'accessModel'>>();
    for (const { name, deleted } of log.topics()) {
      const rule = rules.find(({ matches }) => matches(name));
      if (deleted || !rule || !isCarriable(log, rule, name)) continue;
      const node = nodeOf(rule, name, identity.boxId);
      if (!nodes.has(node)) nodes.set(node, { service, node, accessModel: log.topic(name)?.settings['accessModel'] === 'open' ? 'open' : 'whitelist' });
    }
    return [...nodes.values()];
  }

  #told({ fingerprint, account, jid }: Carrier): AllowedCarrier {
    return { peer: this.#parts.nameOf(fingerprint) ?? fingerprint, fingerprint, account: `xmpp:${account}`, home: jid };
  }

  #homeOf(jid: string | undefined): Home {
    const homes = this.#parts.homes();
    const home = jid === undefined ? homes[0] : homes.find(({ account }) => account.jid === jid);
    if (jid === undefined && homes.length > 1) throw new LanpostError('invalid-value', 'This box has several homes: say which.');
    if (!home) throw new LanpostError('not-found', jid === undefined ? 'This box has no home.' : `There is no home ${jid}.`);
    return home;
  }

  /** The home whose service it is; any other reaches it by federation. */
  #homeFor(service: string): Home | undefined {
    const homes = this.#parts.homes();
    return homes.find(({ account }) => account.service === service || service.endsWith(`.${account.address.domain}`)) ?? homes.find(({ online }) => online);
  }
}

interface Imported {
  readonly sha256: string;
  readonly at: number;
  readonly records: number;
  readonly published: number;
  readonly present: number;
  readonly refused: readonly number[];
  readonly expired?: number;
  /** Of their positions. */
  readonly expiredRuns?: readonly number[];
}

function isImported(row: unknown): row is Imported {
  return typeof row === 'object' && row !== null && 'sha256' in row && 'at' in row && typeof row.at === 'number' && 'refused' in row && Array.isArray(row.refused);
}

function aboutOf(about: unknown): About {
  if (typeof about === 'object' && about !== null && 'kind' in about && about.kind === 'outbox 1' && 'id' in about && typeof about.id === 'string' && /^[0-9a-f]{32}$/.test(about.id)
    && 'jid' in about && typeof about.jid === 'string' && 'service' in about && typeof about.service === 'string' && about.service.length <= 1_024
    && 'created' in about && typeof about.created === 'number' && 'expires' in about && typeof about.expires === 'number') {
    if (!isOfNoAccount(about.service)) throw new LanpostError('forbidden', `What is carried goes to a pubsub service, not to what is an account's own: ${JSON.stringify(about.service.slice(0, 100))}.`);
    return { kind: 'outbox 1', id: about.id, jid: about.jid, service: about.service, created: about.created, expires: about.expires };
  }
  throw new LanpostError('invalid-value', 'That sealed file is no carried outbox, or of a newer form.');
}

/** The importer publishes as himself: to an account's own nodes (PEP), and before all his own, there is more than topics. */
function isOfNoAccount(service: string): boolean {
  const jid = parseJid(service);
  return jid !== undefined && jid.local === undefined;
}

function unreadable(path: string, cause: unknown): LanpostError {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  const why = code === 'ENOENT' || code === 'ENOTDIR' ? `There is no file ${path}.` : `${path} cannot be read: ${reasonOf(cause)}`;
  return new LanpostError('not-found', why, { cause });
}

/** The first of them first, each once. */
function together(some: readonly GivenNode[], more: readonly GivenNode[]): GivenNode[] {
  return [...new Map([...some, ...more].map(({ service, node }) => [`${service}\n${node}`, { service, node }])).values()];
}

/** The home has not done it, and says so; an answer that came from elsewhere may be to something that was done. */
function isRefusal(error: unknown): boolean {
  return error instanceof StanzaError && !['remote-server-timeout', 'internal-server-error'].includes(error.condition);
}

function told(error: unknown, at: GivenNode | undefined): unknown {
  if (!(error instanceof StanzaError) || !at) return error;
  return new LanpostError('forbidden', `${at.service} does not let this box say who publishes to node ${at.node}: ${error.message}`, { cause: error });
}
