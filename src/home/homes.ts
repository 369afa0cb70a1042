// The homes of a box. Accounts live in the log's registry, so they outlive the process.
import type { Resolver } from 'node:dns/promises';
import type { HomeEvent, HomeOptions, HomeStatus, RehearsalEvent, RehearseOptions, Trouble } from '../api.ts';
import type { Clock } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import { OneByOne } from '../one-by-one.ts';
import { late } from '../late.ts';
import type { Log } from '../log/log.ts';
import type { Broker } from '../pubsub/broker.ts';
import type { Road } from '../mail/road.ts';
import { isLegalElement } from '../xml/written.ts';
import { type Element, serialize } from '../xmpp/element.ts';
import { bare } from '../xmpp/jid.ts';
import { cursorNumbers, forgetAccount, goesUpAlike, isSame, keyOf, loadAccounts, logsInAlike, saveAccounts, toAccount, type Account } from './account.ts';
import { forgetBudget } from './budget.ts';
import type { Carried } from './carried.ts';
import { CarriedMarks } from './carried/carried-marks.ts';
import { Carriers } from './carried/carriers.ts';
import type { CarriedOutbox, CarriedParts } from './carried/carried.ts';
import { forgetBeginnings } from './down/beginning.ts';
import type { Detour } from './detour.ts';
import { cursorName, packerOf, readerOf } from './cursor-name.ts';
import { HomeGroup } from './group.ts';
import { HomeEvents } from './home-events.ts';
import type { Home, HomeLimits, HomeReceiver } from './home.ts';
import { SESSION_TIMING, type SessionTiming } from './liveness.ts';
import { type BoxAccounts, HomeRoad } from './mail-road.ts';
import { asLeft, forgetLeft, leftAs, leftAt } from './left.ts';
import { forgetPacks, packsAs } from './packs.ts';
import { setPaused } from './paused.ts';
import { forgetPep } from './pep.ts';
import { setProven } from './proven.ts';
import { accountRefusals, forgetRefusals, triedEarly, unrefused } from './refusals.ts';
import { Rehearsals } from './rehearsal/rehearsals.ts';
import { REHEARSAL_READER } from './rehearsal/trace.ts';
import { reasonOf } from './reason.ts';
import { forgetStretches, stretchesAs } from './stretches.ts';
import { dropOthers, dropStrays, followOn, succeed } from './succession.ts';
import { checkKept } from './unkept.ts';
import { noteBinding } from './unsaid-binding.ts';
import { checkBeside, leftBehind, unreadAccount, unreadStatus, type UnreadAccount } from './unread-account.ts';

export const HOME_LIMITS: HomeLimits = {
  settle: 60_000, overdue: 60_000, stanza: 200_000, ahead: 512, packAhead: 4096, aheadBytes: 1 << 20, connect: 20_000, incoming: 8 << 20,
  rescan: 300_000, again: 5_000,
};

export interface HomesOptions {
  readonly log: Log;
  /** Takes what comes down; without it nothing does. */
  readonly broker?: Broker;
  readonly clock: Clock;
  readonly trouble: (trouble: Trouble) => void;
  readonly boxId: string;
  /** Takes messages, presence and requests from home; without it the box announces no presence there. */
  readonly receive?: HomeReceiver;
  /** A home's session is there: mail may have a road now. */
  readonly opened?: () => void;
  /** Who may pass bytes on to a home that cannot be reached from here. Default: nobody. */
  readonly detours?: () => readonly Detour[];
  /** What signs the letters of this box, and whose alone accounts are. Default: nobody's. */
  readonly boxes?: BoxAccounts;
  readonly limits?: Partial<HomeLimits>;
  readonly timing?: Partial<SessionTiming>;
  /** Who is asked where homes are; the system's default when absent. */
  readonly resolver?: Pick<Resolver, 'resolveSrv'>;
  readonly random?: () => number;
}

export interface Homes {
  /** Mail to `xmpp:` addresses. */
  readonly road: Road & Pick<HomeRoad, 'received' | 'returned'>;
  /** Takes up every home that was added before. */
  start(): Promise<void>;
  /** Adds a home or changes one. The same once more leaves its session as it is; without one it is tried at once, a refused one twice at most until it is let in. */
  add(options: HomeOptions): Promise<HomeStatus>;
  list(): Promise<HomeStatus[]>;
  /** How they are, then what becomes of them. */
  watch(signal?: AbortSignal): AsyncIterableIterator<HomeEvent>;
  /** Cuts the road to a home, and tells what came of it. */
  rehearse(options: RehearseOptions): AsyncIterableIterator<RehearsalEvent>;
  /** Leaves it until it is resumed, over restarts too. */
  pause(jid: string): Promise<HomeStatus>;
  resume(jid: string): Promise<HomeStatus>;
  remove(jid: string): Promise<void>;
  /** The cursor that takes a topic up to that home; undefined when nothing of it goes there. */
  cursorOf(jid: string, topic: string): string | undefined;
  /** Whether a home's accounts live at that domain. */
  knows(domain: string): boolean;
  /** Whether the bare JID is an account of this box. */
  has(jid: string): boolean;
  /** The account that mail for that JID is from, connected or not. */
  accountFor(jid: string): string | undefined;
  /** Whether the account whose mail for that JID is from is connected. */
  reaches(jid: string): boolean;
  /** To an account, through this box's own; resolves when the server has it. */
  send(jid: string, build: () => Element): Promise<void>;
  /** Asks it, through the account that is connected and nearest; ms for the answer. */
  request(jid: string, iq: Element, timeout: number): Promise<Element>;
  /** What goes to homes in files, by way of other boxes. Loaded when it is first asked for. */
  outbox(parts: Pick<CarriedParts, 'identity' | 'sealer' | 'isPaired' | 'nameOf'>): Promise<CarriedOutbox>;
  /** Somebody has come who may pass bytes on: homes that wait try again. */
  detoursChanged(): void;
  close(): Promise<void>;
}

/** Sessions, TLS and all that goes up: most boxes have no home. */
const loadHome = (): Promise<typeof import('./home.ts')> => late('What speaks with homes', () => import('./home.ts'));

export function createHomes(options: HomesOptions): Homes {
  return new AccountHomes(options);
}

class AccountHomes implements Homes {
  readonly road: HomeRoad;
  readonly #options: HomesOptions;
  readonly #limits: HomeLimits;
  readonly #homes = new Map<string, Home>();
  /** Kept, and not taken up. */
  readonly #unread = new Map<string, UnreadAccount>();
  readonly #groups = new Map<string, HomeGroup>();
  readonly #events: HomeEvents;
  readonly #rehearsals: Rehearsals;
  readonly #marks: CarriedMarks;
  #outbox: Promise<CarriedOutbox> | undefined;
  /** One change at a time. */
  readonly #turns = new OneByOne();
  #closed = false;

  constructor(options: HomesOptions) {
    this.#options = options;
    this.#limits = { ...HOME_LIMITS, ...options.limits };
    const { clock, boxes } = options;
    this.#marks = new CarriedMarks(options.log);
    this.#events = new HomeEvents(clock);
    this.#rehearsals = new Rehearsals({ log: options.log, clock, trouble: options.trouble, limits: this.#limits, homes: () => this.#homes });
    this.road = new HomeRoad({ homes: () => this.#homes.values(), stanzaBytes: this.#limits.stanza, clock, ...(boxes ? { boxes } : {}) });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    return this.#turns.run(() => {
      if (this.#closed) throw new LanpostError('closed');
      return work();
    });
  }

  start(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#rehearsals.start();
      // One that cannot be taken up keeps neither the others nor the box.
      const untaken = (jid: string, error: unknown): void => this.#options.trouble({ kind: 'home.start', message: `${jid} could not be taken up: ${reasonOf(error)}` });
      const accounts = loadAccounts(this.#options.log.registry, (jid, error) => {
        this.#leave(jid, error);
        untaken(jid, error);
      });
      await this.#dropStrays().catch((error: unknown) => this.#options.trouble({ kind: 'home.start', message: `readers of homes that are gone could not be dropped: ${reasonOf(error)}` }));
      for (const account of accounts) if (!this.#homes.has(account.jid)) await this.#open(account).catch((error: unknown) => untaken(account.jid, error));
      for (const name of new Set([...this.#homes.values()].map((home) => home.account.group))) {
        if (name === undefined || this.#groups.has(name)) continue;
        await this.#together(name).catch((error: unknown) => this.#options.trouble({ kind: 'home.start', message: `the group ${name} could not be taken up: ${reasonOf(error)}` }));
      }
    });
  }

  /** Those that are kept and can be read. */
  #accounts(): Account[] {
    return loadAccounts(this.#options.log.registry, () => undefined);
  }

  /** It is there, and nothing is done for it. */
  #leave(jid: string, error: unknown): void {
    const { log, clock } = this.#options;
    this.#unread.set(jid, unreadAccount(jid, log.registry.get(keyOf(jid)), error, clock.wall()));
  }

  /** While one cannot be read it is not known whose readers there are, and what they keep is not to be lost. */
  async #dropStrays(): Promise<void> {
    const { log } = this.#options;
    const accounts = loadAccounts(log.registry, () => undefined);
    if (accounts.length === log.registry.entries(keyOf('')).length) await dropStrays(log, [...accounts.map(readerOf), REHEARSAL_READER]);
  }

  add(options: HomeOptions): Promise<HomeStatus> {
    return this.#inTurn(async () => {
      const account = toAccount(options);
      const { log } = this.#options;
      checkKept(account, this.#options);
      await loadHome();
      const { jid, group } = account;
      const reader = readerOf(account);
      const all = this.#accounts();
      const former = all.find((one) => one.jid === jid);
      const there = former && this.#standing(account);
      const now = await there?.status();
      if (there && now && now.state !== 'refused') {
        there.retry();
        return now;
      }
      // A box that is told its accounts at its start, by whoever starts it, is told nothing new.
      const starts = former !== undefined && !this.#homes.has(jid) && isSame(former, account);
      if (!starts) await setProven(log.registry, jid, false);
      // What goes up is the group's: whoever was added last says it for all of them.
      const others = all.filter((one) => one.jid !== jid && group !== undefined && one.group === group).map((one) => ({ ...one, topics: account.topics, up: account.up, rules: account.rules }));
      // Alone before and alone now, whatever its group is called: it goes on where it was.
      const moves = former && readerOf(former) !== reader && !all.some((one) => one.jid !== jid && [reader, readerOf(former)].includes(readerOf(one)));
      const known = former && (moves || readerOf(former) === reader) ? former : all.find((one) => one.jid !== jid && readerOf(one) === reader);
      const from = moves ? readerOf(former) : reader;
      const unread = this.#unread.get(jid);
      checkBeside([...this.#unread.values()].filter((one) => one.jid !== jid && !all.some((other) => other.jid === one.jid)), [group, former?.group, unread?.group]);
      const running = [jid, ...others.map((one) => one.jid)].map((one) => this.#homes.get(one)).filter((home) => home !== undefined);
      await this.#part(group, former?.group);
      for (const home of running) {
        await home.close();
        this.#homes.delete(home.jid);
      }
      try {
        // What another box brought to one service is not at another. What is packed may stand around it, so that goes too: nothing of it is there.
        // What came to one home of a group is done for all of it, while one of them is still at that service.
        const isServed = all.some((one) => one.jid !== jid && readerOf(one) === from && one.service === former?.service);
        if (former && readerOf(former) === from && former.service !== account.service && !isServed && await this.#marks.forget(from)) await forgetPacks(log.registry, packerOf(former));
        const numbers = await succeed(log, { jid: reader, former: from, now: filtersOf(account), ...(!known && unread ? leftBehind(unread, reader, filtersOf(account), log) : { before: filtersOf(known), numbers: known ? cursorNumbers(log.registry, known.jid) : {} }) });
        // Whoever names a service wants that; whoever does not any more leaves it open anew.
        if (former && (former.service !== account.service || former.open !== account.open)) await forgetPep(log.registry, jid);
        const left = former && !known ? [asLeft(reader, log.head)] : [];
        const refused = !former || !logsInAlike(former, account) ? unrefused(log.registry, accountRefusals(jid)) : starts ? [] : triedEarly(log.registry, accountRefusals(jid));
        await saveAccounts(log.registry, [...others, account], numbers, [...refused, ...from === reader ? left : [...(moves ? packsAs(log.registry, packerOf(former), packerOf(account)) : []), ...stretchesAs(log.registry, from, reader), ...this.#marks.as(from, reader), ...leftAs(log.registry, from, reader)]]);
        if (from !== reader) this.#marks.taken(from, reader);
        followOn(log, from, reader, account.rules, numbers);
      } catch (error) {
        // A log that takes nothing leaves the homes as they were.
        if (!all.some((one) => readerOf(one) === reader)) await dropOthers(log, reader, [], {}).catch(() => undefined); // else at the next start
        for (const home of running) await this.#open(home.account);
        await this.#together(group, former?.group);
        throw error;
      }
      const was = former ?? unread;
      if (was && readerOf(was) !== reader) await this.#forgetReader(was);
      for (const one of others) await this.#open(one);
      const home = await this.#open(account);
      await this.#together(group, former?.group);
      return home.status();
    });
  }

  /** The home that does all of this already: programs say it at each of their starts, and that is to end no session. */
  #standing(account: Account): Home | undefined {
    const { group } = account;
    const home = this.#homes.get(account.jid);
    if (!home || !isSame(home.account, account) || (group !== undefined && !this.#groups.has(group))) return undefined;
    const others = [...this.#homes.values()].filter((one) => group !== undefined && one.account.group === group);
    return others.every((one) => goesUpAlike(one.account, account)) ? home : undefined;
  }

  /** Unless another of its group is left, nobody reads for it any more. */
  async #forgetReader(account: Pick<Account, 'jid' | 'group'>): Promise<void> {
    const { log } = this.#options;
    await forgetPacks(log.registry, packerOf(account));
    const reader = readerOf(account);
    if ([...this.#accounts(), ...this.#unread.values()].some((one) => readerOf(one) === reader)) return;
    await dropOthers(log, reader, [], {});
    await forgetStretches(log.registry, reader);
    await forgetLeft(log.registry, reader);
    await this.#marks.forget(reader);
  }

  /** Homes of a group are one reader: what came to one of them need not go to another. */
  #carriedFor(account: Account): Carried {
    const reader = readerOf(account);
    const isOurs = (jid: string): boolean => {
      const home = this.#homes.get(jid);
      return jid === account.jid || (home !== undefined && readerOf(home.account) === reader);
    };
    const left = leftAt(this.#options.log.registry, reader);
    return { has: (seq) => this.#marks.has(reader, seq), may: (seq) => seq <= left || this.#marks.isGiven(isOurs, seq) };
  }

  async #part(...names: (string | undefined)[]): Promise<void> {
    for (const name of names) {
      if (name === undefined) continue;
      await this.#groups.get(name)?.close();
      this.#groups.delete(name);
      for (const home of this.#homes.values()) if (home.account.group === name) await home.carry(false);
    }
  }

  /** The homes of a group, as they are now, are one reader. */
  async #together(...names: (string | undefined)[]): Promise<void> {
    for (const name of new Set(names)) {
      const members = [...this.#homes.values()].filter((home) => name !== undefined && home.account.group === name);
      if (name === undefined || members.length === 0) continue;
      const group = new HomeGroup({
        clock: this.#options.clock, members,
        failed: (error) => this.#options.trouble({ kind: 'home.read', message: `the group ${name} could not go on at another home: ${reasonOf(error)}` }),
      });
      this.#groups.set(name, group);
      await group.start();
      group.changed();
    }
  }

  async #open(account: Account): Promise<Home> {
    try {
      const home = await this.#opened(account);
      this.#unread.delete(account.jid);
      return home;
    } catch (error) {
      this.#leave(account.jid, error);
      throw error;
    }
  }

  async #opened(account: Account): Promise<Home> {
    const { log, broker, clock, trouble, boxId, receive, opened, detours, resolver, random, timing } = this.#options;
    const code = await loadHome();
    const cursors = cursorNumbers(log.registry, account.jid);
    await dropOthers(log, readerOf(account), filtersOf(account), cursors);
    const groupOf = (): HomeGroup | undefined => (account.group === undefined ? undefined : this.#groups.get(account.group));
    const home: Home = new code.Home({
      account, cursors, log, broker, clock, trouble, boxId, receive, opened, detours, resolver, random, limits: this.#limits, timing: { ...SESSION_TIMING, ...timing },
      carried: this.#carriedFor(account),
      served: (service) => [...this.#homes.values()].some((one) => readerOf(one.account) === readerOf(account) && [one.account.service, one.jid].includes(service)),
      changed: () => {
        groupOf()?.changed();
        this.#events.changed(home);
        if (home.online) this.#rehearsals.cameOnline(home);
      },
      moved: () => this.#events.moved(home),
      active: () => groupOf()?.isActive(account.jid) === true,
    });
    try {
      await home.start();
    } catch (error) {
      await home.close();
      throw error;
    }
    this.#homes.set(account.jid, home);
    return home;
  }

  list(): Promise<HomeStatus[]> {
    return Promise.all([...[...this.#homes.values()].map((home) => home.status()), ...[...this.#unread.values()].map((account) => unreadStatus(account, this.#options))]);
  }

  watch(signal?: AbortSignal): AsyncIterableIterator<HomeEvent> {
    return this.#events.watch(() => this.list(), signal);
  }

  rehearse(options: RehearseOptions): AsyncIterableIterator<RehearsalEvent> {
    return this.#rehearsals.rehearse(options);
  }

  pause(jid: string): Promise<HomeStatus> {
    return this.#with(jid, (home) => home.pause());
  }

  resume(jid: string): Promise<HomeStatus> {
    return this.#with(jid, (home) => home.resume());
  }

  #with(jid: string, change: (home: Home) => Promise<void>): Promise<HomeStatus> {
    return this.#inTurn(async () => {
      const home = this.#homes.get(bare(jid) ?? jid);
      const unread = this.#unread.get(bare(jid) ?? jid);
      if (!home && unread) throw new LanpostError('unsupported', `${jid} cannot be taken up as it is kept: ${unread.reason}. Add it anew or remove it.`);
      if (!home) throw new LanpostError('not-found', `There is no home ${jid}.`);
      await change(home);
      return home.status();
    });
  }

  remove(jid: string): Promise<void> {
    return this.#inTurn(async () => {
      const home = this.#homes.get(bare(jid) ?? jid);
      const left = home?.account ?? this.#unread.get(bare(jid) ?? jid) ?? this.#unread.get(jid);
      if (!left) throw new LanpostError('not-found', `There is no home ${jid}.`);
      const { jid: account, group } = left;
      await this.#part(group);
      await home?.close();
      this.#homes.delete(account);
      this.#events.gone(account);
      const { registry } = this.#options.log;
      await forgetAccount(registry, account);
      this.#tellWithdrawals(account);
      this.#unread.delete(account);
      await forgetBeginnings(registry, account);
      await forgetBudget(registry, account);
      await this.#rehearsals.forget(account);
      await setPaused(registry, account, false);
      await setProven(registry, account, false);
      await forgetRefusals(registry, accountRefusals(account));
      await noteBinding(registry, account, undefined);
      await forgetPep(registry, account);
      await this.#forgetReader(left);
      if (!home) await this.#dropStrays();
      await this.#together(group);
    });
  }

  /** Nobody takes that back there any more, unless the home is added again. */
  #tellWithdrawals(jid: string): void {
    const left = new Carriers(this.#options.log.registry).withdrawn().filter((one) => one.jid === jid);
    if (left.length === 0) return;
    const accounts = left.map(({ account, name, fingerprint }) => `${account} (${name ?? fingerprint.slice(0, 16)})`).join(', ');
    this.#options.trouble({ kind: 'home.outbox', message: `${jid} was removed before it was taken back there that these may publish for this box: ${accounts}. Do that there by hand, and \`lanpost outbox deny\` forgets them; or add the home again.` });
  }

  cursorOf(jid: string, topic: string): string | undefined {
    const account = this.#homes.get(bare(jid) ?? jid)?.account;
    if (!account) throw new LanpostError('not-found', `There is no home ${jid}.`);
    const rule = account.rules.find(({ matches }) => matches(topic));
    return rule && cursorName(readerOf(account), rule.filter, cursorNumbers(this.#options.log.registry, account.jid)[rule.filter]);
  }

  knows(domain: string): boolean {
    if (this.#homes.size === 0) return false;
    return [...this.#homes.values()].some((home) => home.account.address.domain === domain.toLowerCase());
  }

  has(jid: string): boolean {
    return this.#homes.has(jid);
  }

  accountFor(jid: string): string | undefined {
    return this.road.homeFor(jid, true)?.account.jid;
  }

  reaches(jid: string): boolean {
    return this.road.homeFor(jid) !== undefined;
  }

  async send(jid: string, build: () => Element): Promise<void> {
    const home = this.road.homeFor(jid);
    if (!home) throw new LanpostError('unreachable', `No home is connected that could reach ${jid}.`);
    await home.send(build);
  }

  async request(jid: string, iq: Element, timeout: number): Promise<Element> {
    this.road.check({ kind: 'xmpp', jid }, `xmpp:${jid}`);
    const home = this.road.homeFor(jid);
    if (!home) throw new LanpostError('unreachable', `No home is connected that could reach ${jid}.`);
    iq.attrs['to'] = jid;
    // It would end the stream, again and again.
    if (!isLegalElement(iq)) throw new LanpostError('invalid-value', 'The request holds a character that XML cannot carry.');
    if (Buffer.byteLength(serialize(iq)) > this.#limits.stanza) throw new LanpostError('too-large', 'The request is larger than homes accept.');
    return home.request(iq, timeout);
  }

  outbox(parts: Pick<CarriedParts, 'identity' | 'sealer' | 'isPaired' | 'nameOf'>): Promise<CarriedOutbox> {
    const { log, clock, trouble } = this.#options;
    this.#outbox ??= late('The carried outbox', () => import('./carried/carried.ts')).then(({ CarriedOutbox: Loaded }) => new Loaded({
      ...parts, log, clock, trouble, marks: this.#marks, limits: this.#limits, homes: () => [...this.#homes.values()], inTurn: (work) => this.#inTurn(work),
    })).catch((error: unknown) => {
      this.#outbox = undefined;
      throw error;
    });
    return this.#outbox;
  }

  detoursChanged(): void {
    for (const home of this.#homes.values()) home.retry();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#events.close();
    await this.#rehearsals.close();
    this.road.close();
    await this.#turns.settled();
    for (const group of this.#groups.values()) await group.close();
    await Promise.all([...this.#homes.values()].map((home) => home.close()));
    await (await this.#outbox?.catch(() => undefined))?.close();
  }
}

const filtersOf = (account: Account | undefined): string[] => account?.rules.map((rule) => rule.filter) ?? [];
