// The homes of a box. Accounts live in the log's registry, so they outlive the process.
import type { Resolver } from 'node:dns/promises';
import type { HomeOptions, HomeStatus, Trouble } from '../api.ts';
import type { Clock } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import { late } from '../late.ts';
import type { Log } from '../log/log.ts';
import type { Broker } from '../pubsub/broker.ts';
import type { Road } from '../mail/road.ts';
import type { Element } from '../xmpp/element.ts';
import { bare } from '../xmpp/jid.ts';
import { cursorNumbers, forgetAccount, loadAccounts, saveAccount, toAccount, type Account } from './account.ts';
import { forgetBeginnings } from './down/beginning.ts';
import type { Detour } from './detour.ts';
import type { Home, HomeLimits, HomeReceiver } from './home.ts';
import { SESSION_TIMING, type SessionTiming } from './liveness.ts';
import { type BoxAccounts, HomeRoad } from './mail-road.ts';
import { forgetPacks } from './packs.ts';
import { reasonOf } from './reason.ts';
import { dropOthers, succeed } from './succession.ts';
import { checkKept } from './unkept.ts';

export const HOME_LIMITS: HomeLimits = {
  settle: 60_000, stanza: 200_000, ahead: 256, packAhead: 4096, aheadBytes: 1 << 20, connect: 20_000, incoming: 8 << 20,
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
  /** Adds a home or changes one; an account refused before is tried at once. */
  add(options: HomeOptions): Promise<HomeStatus>;
  list(): Promise<HomeStatus[]>;
  remove(jid: string): Promise<void>;
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
  /** One change at a time. */
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(options: HomesOptions) {
    this.#options = options;
    this.#limits = { ...HOME_LIMITS, ...options.limits };
    const { clock, boxes } = options;
    this.road = new HomeRoad({ homes: () => this.#homes.values(), stanzaBytes: this.#limits.stanza, clock, ...(boxes ? { boxes } : {}) });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(() => {
      if (this.#closed) throw new LanpostError('closed');
      return work();
    });
    this.#turn = result.catch(() => undefined); // the caller has the failure
    return result;
  }

  start(): Promise<void> {
    return this.#inTurn(async () => {
      for (const account of loadAccounts(this.#options.log.registry)) {
        if (this.#homes.has(account.jid)) continue;
        try {
          await this.#open(account);
        } catch (error) {
          // One that cannot be taken up keeps neither the others nor the box.
          this.#options.trouble({ kind: 'home.start', message: `${account.jid} could not be taken up: ${reasonOf(error)}` });
        }
      }
    });
  }

  add(options: HomeOptions): Promise<HomeStatus> {
    return this.#inTurn(async () => {
      const account = toAccount(options);
      const { log } = this.#options;
      checkKept(account, this.#options);
      await loadHome();
      const { jid } = account;
      const running = this.#homes.get(jid);
      await running?.close();
      this.#homes.delete(jid);
      try {
        const former = loadAccounts(log.registry).find((one) => one.jid === jid);
        const numbers = await succeed(log, { jid, before: filtersOf(former), now: filtersOf(account), numbers: cursorNumbers(log.registry, jid) });
        await saveAccount(log.registry, account, numbers);
      } catch (error) {
        // A log that takes nothing leaves the home as it was.
        if (running) await this.#open(running.account);
        throw error;
      }
      return (await this.#open(account)).status();
    });
  }

  async #open(account: Account): Promise<Home> {
    const { log, broker, clock, trouble, boxId, receive, opened, detours, resolver, random, timing } = this.#options;
    const code = await loadHome();
    const cursors = cursorNumbers(log.registry, account.jid);
    await dropOthers(log, account.jid, filtersOf(account), cursors);
    const home = new code.Home({ account, cursors, log, broker, clock, trouble, boxId, receive, opened, detours, resolver, random, limits: this.#limits, timing: { ...SESSION_TIMING, ...timing } });
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
    return Promise.all([...this.#homes.values()].map((home) => home.status()));
  }

  remove(jid: string): Promise<void> {
    return this.#inTurn(async () => {
      const home = this.#homes.get(bare(jid) ?? jid);
      if (!home) throw new LanpostError('not-found', `There is no home ${jid}.`);
      await home.close();
      this.#homes.delete(home.account.jid);
      const { registry } = this.#options.log;
      await forgetAccount(registry, home.account.jid);
      await forgetBeginnings(registry, home.account.jid);
      await dropOthers(this.#options.log, home.account.jid, [], {});
      await forgetPacks(registry, home.account.jid);
    });
  }

  knows(domain: string): boolean {
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

  detoursChanged(): void {
    for (const home of this.#homes.values()) home.retry();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.road.close();
    await this.#turn;
    await Promise.all([...this.#homes.values()].map((home) => home.close()));
  }
}

const filtersOf = (account: Account | undefined): string[] => account?.rules.map((rule) => rule.filter) ?? [];
