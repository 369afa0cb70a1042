// One account at one home: connects, stays, comes back. What it carries is the uplink's and the road's business.
import type { Resolver } from 'node:dns/promises';
import type { DrainProgress, HomeState, HomeStatus, Trouble } from '../api.ts';
import type { Clock, Timer } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import type { Log } from '../log/log.ts';
import { RecordAges } from '../log/stamp-age.ts';
import type { Broker } from '../pubsub/broker.ts';
import { xml, type Element } from '../xmpp/element.ts';
import { offersBinding, offersScram } from '../xmpp/sasl.ts';
import { XmppSocket } from '../xmpp/xmpp-socket.ts';
import type { Account, CursorNumbers } from './account.ts';
import { Backoff, type Retry } from './backoff.ts';
import { Budget } from './budget.ts';
import type { Carried } from './carried.ts';
import { packerOf, readerOf } from './cursor-name.ts';
import { Downlink, type DownlinkLimits } from './down/downlink.ts';
import type { Detour } from './detour.ts';
import { HomeSessions } from './home-sessions.ts';
import type { Known } from './known.ts';
import { type Loss, lossOf, StreamBroken, StreamEnded } from './loss.ts';
import { negotiate, type Negotiated } from './negotiate.ts';
import { isPaused, setPaused } from './paused.ts';
import type { PepStatus } from './pep.ts';
import { isProven, setProven } from './proven.ts';
import { parseProxy } from './proxy.ts';
import { destinationOf, reach } from './reach.ts';
import { reasonOf } from './reason.ts';
import { accountRefusals, Refusals } from './refusals.ts';
import { Roads } from './roads.ts';
import type { SessionTiming } from './liveness.ts';
import { noteBinding, unsaidBinding } from './unsaid-binding.ts';
import { Uplink } from './uplink.ts';
import type { UplinkLimits } from './uplink-options.ts';
import type { Whereabouts } from './ways.ts';

/** Takes stanzas of the home that answer nothing we asked; resolves with a reply when their effect is safe. */
export type HomeReceiver = (stanza: Element, home: ReceivingHome) => Promise<Element | undefined>;

export interface ReceivingHome {
  readonly jid: string;
  readonly session: string;
  /** Whose address it is, of a device of this box that has one of its own. */
  readonly device?: string;
  /** Sends a reply that takes its time; absent where nothing that does is answered. */
  readonly answer?: (reply: Element) => void;
}

export interface HomeParts {
  readonly account: Account;
  readonly cursors: CursorNumbers;
  readonly log: Log;
  /** Takes what comes down; without it nothing does. */
  readonly broker?: Broker | undefined;
  readonly clock: Clock;
  readonly trouble: (trouble: Trouble) => void;
  readonly boxId: string;
  readonly receive?: HomeReceiver | undefined;
  /** A session is there: mail may have a road now. */
  readonly opened?: (() => void) | undefined;
  /** Who may pass bytes on to the server when it cannot be reached from here. */
  readonly detours?: (() => readonly Detour[]) | undefined;
  /** What other boxes have brought there, or may have. */
  readonly carried: Carried;
  /** Whether it is the service of a home of its group. */
  readonly served?: ((service: string) => boolean) | undefined;
  readonly limits: HomeLimits;
  readonly timing: SessionTiming;
  /** Who is asked where homes are; the system's default when absent. */
  readonly resolver?: Pick<Resolver, 'resolveSrv'> | undefined;
  readonly random?: (() => number) | undefined;
  /** It has come, or gone. */
  readonly changed?: (() => void) | undefined;
  /** It has acknowledged something. */
  readonly moved?: (() => void) | undefined;
  /** Of a home in a group: whether it is the one that reads. */
  readonly active?: (() => boolean) | undefined;
}

export interface HomeLimits extends UplinkLimits, DownlinkLimits {
  /** TCP, TLS, SASL and binding together, of one way to the server; ms. */
  readonly connect: number;
  /** Bytes of one stanza from the server; a read-back's answer must fit. */
  readonly incoming: number;
}

/** RFC 6120 §4.9.3: errors of the stream that tell of something we sent. */
const OURS: ReadonlySet<string> = new Set(['policy-violation', 'not-well-formed', 'invalid-xml', 'bad-format', 'restricted-xml', 'unsupported-stanza-type', 'invalid-namespace']);
/** How soon it is tried again when somebody comes who may pass it on, ms. */
const SOONEST = 2_000;
/** A server that is there answers sooner, over any road; ms. */
const UNANSWERED = 3_000;

interface Lost extends Loss {
  readonly retry: Retry;
}

export class Home {
  readonly account: Account;
  uplink: Uplink;
  readonly budget: Budget | undefined;
  /** Of rehearsals: they fare as the first one does. */
  readonly #others = new Set<Uplink>();
  /** Somebody has come who may know a way, while it was tried. */
  #asked = false;
  #soon: Timer | undefined;
  /** Why nobody is to be called, though one could be. */
  #cut: string | undefined;
  readonly #downlink: Downlink | undefined;
  readonly #parts: HomeParts;
  readonly #backoff: Backoff;
  readonly #refusals: Refusals;
  readonly #closing = new AbortController();
  readonly #roads: Roads;
  /** Of records, by time that no jump of the clock moves. */
  readonly #ages: RecordAges;
  #state: HomeState = 'offline';
  #since: number;
  /** The same, monotonic. */
  #sinceMono: number;
  #reason: string | undefined;
  #nextAttempt: number | undefined;
  readonly #sessions: HomeSessions;
  #current: Negotiated | undefined;
  /** Of the last session that came about; nothing after one that did not. */
  #known: Known | undefined;
  #wake: (() => void) | undefined;
  /** The session is to be taken up by the own road. */
  #back = false;
  #running: Promise<void> = Promise.resolve();

  constructor(parts: HomeParts) {
    this.#parts = parts;
    this.account = parts.account;
    this.#refusals = new Refusals({ key: accountRefusals(parts.account.jid), log: parts.log, clock: parts.clock });
    this.#backoff = new Backoff(parts.random, this.#refusals.count);
    this.#since = parts.clock.wall();
    this.#sinceMono = parts.clock.mono();
    const { account, log, clock, trouble, limits, broker } = parts;
    this.#ages = new RecordAges(log, clock);
    this.#roads = new Roads({
      clock, to: destinationOf(account),
      detours: parts.detours ?? (() => []),
      probe: (signal) => reach({ domain: account.address.domain, ...wayOf(account), clock, resolver: parts.resolver, random: parts.random, signal }),
    });
    const { jid, down } = account;
    const downlink = broker && down.length > 0 ? new Downlink({ jid, rules: down, broker, log, clock, trouble, limits }) : undefined;
    this.#downlink = downlink;
    const { receive, timing } = parts;
    this.#sessions = new HomeSessions({
      clock, jid, timing, roomy: () => log.roomy(),
      receive: receive && ((stanza, session) => receive(stanza, { jid, session: session.jid, answer: (reply) => session.send(reply) })),
      events: (stanza) => downlink?.receive(stanza),
      trouble: (message) => trouble({ kind: 'home.receive', message: `${jid}: ${message}` }),
    });
    const { budget } = account;
    this.budget = budget === undefined ? undefined : new Budget({ jid, budget, clock, registry: log.registry, trustedNow: () => log.trustedNow(), wake: () => { for (const uplink of this.#uplinks) uplink.wake(); } });
    this.uplink = this.#newUplink();
  }

  #newUplink(): Uplink {
    const { account, cursors, log, clock, trouble, limits, boxId, carried, served, moved } = this.#parts;
    const { jid, service, open, rules } = account;
    const downlink = this.#downlink;
    return new Uplink({
      jid, reader: readerOf(account), packer: packerOf(account), service, open, rules, budget: this.budget, cursors, boxId, log, clock, trouble, limits, carried, served, moved,
      retracting: downlink && ((...what) => downlink.retracting(...what)),
    });
  }

  async start(): Promise<void> {
    // Of a group one reads, and which one is not for it to say.
    if (this.account.group === undefined) await this.uplink.start();
    this.#running = this.#run();
  }

  get jid(): string {
    return this.account.jid;
  }

  get #uplinks(): Uplink[] {
    return [this.uplink, ...this.#others];
  }

  /** One more goes up over the session, and over those that follow. */
  join(uplink: Uplink): void {
    this.#others.add(uplink);
    if (this.#sessions.attached) uplink.online(this.#sessions.attached, true);
  }

  part(uplink: Uplink): void {
    this.#others.delete(uplink);
    uplink.offline();
  }

  /** As if the path had gone: the connection is dead at once, and there is no other, by whatever road. */
  cut(why: string): void {
    this.#cut = why;
    this.#current?.socket.destroy(new LanpostError('disconnected', why));
  }

  /** The path is there again; when it is taken is the box's own business, as after any outage. */
  restore(): void {
    this.#cut = undefined;
  }

  get rank(): number {
    return this.account.rank;
  }

  /** Whether it reads for its group. What is on its way when it stops is read again, by whoever reads next. */
  async carry(on: boolean): Promise<void> {
    if (this.#closing.signal.aborted) return;
    if (on) {
      // What others of the group have noted since this one was made is on disk, and read when one is made.
      await this.#renew();
      await this.uplink.start().catch(async (error: unknown) => {
        // What it has opened is not to be in the way of another try.
        await this.#renew();
        throw error;
      });
      if (this.#sessions.attached) this.uplink.online(this.#sessions.attached, true);
      return;
    }
    await this.#renew();
  }

  async #renew(): Promise<void> {
    const former = this.uplink;
    this.uplink = this.#newUplink();
    await former.close();
  }

  /** Whether what goes up goes to it: always, or while it is the one of its group that reads. */
  get reads(): boolean {
    return this.account.group === undefined || this.#parts.active?.() === true;
  }

  /** The last backlog that has gone up. */
  get drained(): DrainProgress | undefined {
    return this.uplink.drained;
  }

  /** What goes to the account's own service. */
  get pep(): PepStatus | undefined {
    return this.uplink.pep;
  }

  get online(): boolean {
    return this.#state === 'online';
  }

  /** Rejects with `unreachable` while offline; resolves when the server has the stanza. */
  send(build: () => Element): Promise<void> {
    const session = this.#sessions.attached;
    if (!session) return Promise.reject(new LanpostError('unreachable', `${this.account.jid} is not connected.`));
    return new Promise((resolve, reject) => {
      session.send(build(), { again: build, handed: resolve, dropped: () => reject(new LanpostError('disconnected')) });
    });
  }

  /** Asks the server something, by what is not the uplink's. */
  async request(iq: Element, timeout: number): Promise<Element> {
    const session = this.#sessions.attached;
    if (!session) throw new LanpostError('unreachable', `${this.account.jid} is not connected.`);
    return session.iq.request(iq, { timeout });
  }

  /** Which session it is: what was acknowledged on another may be lost. */
  get life(): number {
    return this.#sessions.life;
  }

  async status(): Promise<HomeStatus> {
    const { log } = this.#parts;
    const backlog = await this.uplink.backlog();
    const { queued, bytes, oldest, poison } = backlog;
    const draining = this.online ? this.uplink.draining(backlog) : undefined;
    const held = this.uplink.held();
    const { pep, short } = this.uplink;
    const unanswered = this.#sessions.attached?.unanswered ?? 0;
    const oldestAge = oldest && queued > 0 ? Math.max(0, Math.round(this.#ages.of(oldest.record) ?? 0)) : 0;
    const { rate } = this.uplink;
    const timeLeft = queued === 0 ? undefined : await log.timeLeft();
    const wait = queued > 0 ? this.budget?.wait ?? 0 : 0;
    const budget = wait > 0 ? `the byte budget is used up for ${Math.ceil(wait / 1000)} s` : undefined;
    const reason = this.#reason ?? budget ?? (held.length > 0 ? held.map(({ topic, reason: why }) => `${topic}: ${why}`).slice(0, 5).join('; ') : undefined) ?? shortInWords(short);
    return {
      jid: this.account.jid, service: this.account.service, topics: this.account.rules.map((rule) => rule.filter), state: this.#state, since: this.#since, queued,
      ...(backlog.left > 0 ? { left: backlog.left } : {}),
      queuedBytes: bytes, oldestAge, rate,
      ...(oldest && queued > 0 ? { oldest: { topic: oldest.record.topic, reader: oldest.reader } } : {}),
      ...(queued > 0 && rate.items > 0 ? { drains: Math.round((queued / rate.items) * 1000) } : {}),
      ...(draining ? { draining } : {}),
      ...(timeLeft === undefined ? {} : { hoursLeft: Math.round(timeLeft / 360_000) / 10 }),
      ...(this.#downlink ? { down: this.#downlink.status() } : {}),
      ...(this.online && this.#roads.via !== undefined ? { via: this.#roads.via } : {}),
      ...(this.account.group === undefined ? {} : { group: { name: this.account.group, rank: this.account.rank, active: this.reads } }),
      ...(this.#state === 'online' && this.#current ? { over: this.#current.over } : {}),
      ...(poison > 0 ? { poison } : {}),
      ...(pep ? { pep } : {}),
      ...(short.length > 0 ? { short } : {}),
      ...(this.online && unanswered >= UNANSWERED ? { unanswered: Math.round(unanswered) } : {}),
      ...(reason === undefined ? {} : { reason }),
      ...(this.#nextAttempt === undefined ? {} : { nextAttempt: this.#nextAttempt }),
    };
  }

  /** Ends the session properly; what is queued stays in the log. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#soon?.stop();
    this.#wake?.();
    this.#roads.rest();
    await this.#leave();
    await this.#running;
    await this.uplink.close();
    await this.budget?.close();
    this.#sessions.giveUp();
    await this.#downlink?.close();
    this.#become('offline');
  }

  get #paused(): boolean {
    return isPaused(this.#parts.log.registry, this.account.jid);
  }

  /** Resolves when it is on disk and the session has ended. */
  async pause(): Promise<void> {
    await setPaused(this.#parts.log.registry, this.account.jid, true);
    this.#wake?.();
    await this.#leave();
  }

  /** Says goodbye, where there is somebody to say it to. */
  async #leave(): Promise<void> {
    const socket = this.#current?.socket;
    if (socket) this.#sessions.attached?.farewell();
    await socket?.close();
  }

  async resume(): Promise<void> {
    if (!this.#paused) return;
    this.#refusals.waive();
    await setPaused(this.#parts.log.registry, this.account.jid, false);
    this.#wake?.();
  }

  #become(state: HomeState, reason?: string, nextAttempt?: number): void {
    const changed = state !== this.#state;
    if (changed) {
      this.#since = this.#parts.clock.wall();
      this.#sinceMono = this.#parts.clock.mono();
    }
    this.#state = state;
    this.#reason = reason;
    this.#nextAttempt = nextAttempt;
    if (changed) this.#parts.changed?.();
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      if (this.#paused) {
        this.#become('paused');
        await new Promise<void>((resolve) => { this.#wake = resolve; });
        continue;
      }
      const rest = this.#refusals.rest();
      if (rest) {
        this.#become('refused', rest.reason, Math.round(this.#parts.clock.wall() + rest.ms));
        await this.#sleep(rest.ms);
        continue;
      }
      this.#become('connecting');
      this.#asked = false;
      this.#soon?.stop();
      this.#soon = undefined;
      let loss: Lost;
      try {
        const upSince = this.#parts.clock.mono();
        const before = this.uplink.answered;
        const ended = await this.#connected();
        if (signal.aborted) return;
        if (this.#paused) continue;
        if (this.#back) {
          this.#back = false;
          continue;
        }
        loss = this.#lost(ended, Math.max(1, this.#parts.clock.mono() - upSince), this.uplink.answered > before);
      } catch (error) {
        if (signal.aborted) return;
        loss = this.#lost(error, 0, false);
      }
      const { kind, retry, reason } = loss;
      if (kind === 'auth' || kind === 'banned') await this.#refusals.note(this.#backoff.refusals, retry.delay, reason);
      if (signal.aborted) return;
      if (this.#paused) continue;
      this.#become(retry.refused ? 'refused' : 'waiting', reason, Math.round(this.#parts.clock.wall() + retry.delay));
      await this.#sleep(this.#asked && !retry.refused ? Math.min(SOONEST, retry.delay) : retry.delay);
    }
  }

  #lost(error: unknown, uptime: number, progress: boolean): Lost {
    const { kind, reason } = lossOf(error);
    const retry = this.#backoff.lost(kind, uptime, progress);
    if (kind !== 'link') this.#parts.trouble({ kind: `home.${kind}`, message: `${this.account.jid}: ${reason}` });
    return { kind, retry, reason };
  }

  /** Somebody has come who may know a way: it is tried now, but not as often as somebody can come. */
  retry(): void {
    const { clock } = this.#parts;
    // They may have been asked already this time.
    if (this.#state === 'connecting') this.#asked = true;
    if (this.#state !== 'waiting') return;
    const early = this.#sinceMono + SOONEST - clock.mono();
    if (early <= 0) this.#wake?.();
    else this.#soon ??= clock.after(early, () => {
      this.#soon = undefined;
      this.retry();
    });
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      let timer: Timer | undefined = undefined;
      const done = (): void => {
        timer?.stop();
        this.#wake = undefined;
        resolve();
      };
      this.#wake = done;
      timer = this.#parts.clock.after(ms, done);
    });
  }

  /** Connects and stays until the connection ends; resolves with why. Rejects when it never was. */
  async #connected(): Promise<Error> {
    const { account, clock, limits, boxId, resolver, random, log } = this.#parts;
    let ended!: Promise<Error>;
    if (this.#cut !== undefined) throw new LanpostError('unreachable', this.#cut);
    const resume = await this.#sessions.resumable();
    const { address: jid, password, plain } = account;
    const known = this.#known;
    this.#known = undefined;
    const unsaid = unsaidBinding(log.registry, account.jid, this.#backoff.refusals);
    const negotiated = await this.#roads.begin(({ dial, within }) => {
      let end!: (reason: Error) => void;
      ended = new Promise<Error>((resolve) => { end = resolve; });
      return negotiate({
        jid, password, plain: plain && !isProven(log.registry, account.jid), ...wayOf(account), resolver, random, known, unsaid,
        // Fixed per box, so that a session of ours that the server still holds is replaced.
        resource: `lanpost-${boxId.slice(0, 8)}`,
        clock, dial, deadline: limits.connect, within, stanzaBytes: limits.incoming, resume, signal: this.#closing.signal,
        onClose: (reason) => end(reason ?? new LanpostError('disconnected', 'The server closed the connection.')),
      });
    }, this.#closing.signal).catch((error: unknown) => {
      this.#sessions.failed(error);
      throw error;
    });
    if (this.#closing.signal.aborted || this.#cut !== undefined) negotiated.socket.destroy();
    this.#current = negotiated;
    this.#known = negotiated.known;
    this.#refusals.end();
    // A log that takes nothing: then a restart forgets it.
    const { mechanisms, bindings } = negotiated.known;
    if (plain && offersScram(mechanisms)) setProven(log.registry, account.jid, true).catch(() => undefined);
    if (bindings === undefined && offersBinding(mechanisms) && negotiated.socket instanceof XmppSocket) noteBinding(log.registry, account.jid, unsaid).catch(() => undefined);
    this.#take(negotiated);
    // Said while there was nobody yet to say goodbye to.
    if (this.#paused) void this.#leave();
    this.#roads.watch(() => {
      this.#back = true;
      negotiated.socket.destroy(new LanpostError('disconnected', 'The road of this box\'s own is there again.'));
    });
    const reason = await ended;
    this.#roads.rest();
    this.#current = undefined;
    this.#sessions.detach();
    for (const uplink of this.#uplinks) uplink.offline();
    // Something in flight was too much for the server.
    if (reason instanceof StreamEnded && OURS.has(reason.fault.condition)) for (const uplink of this.#uplinks) uplink.suspect(reasonOf(reason));
    if (reason instanceof StreamBroken) {
      for (const uplink of this.#uplinks) uplink.choked();
      this.#downlink?.choked();
    }
    this.#sessions.ended(reason);
    return reason;
  }

  /** Everything here happens in the tick of the last answer: stanzas right behind it are counted. */
  #take(negotiated: Negotiated): void {
    const { session, fresh } = this.#sessions.take(negotiated);
    this.#become('online');
    // Without presence mail waits in the server's store; so nobody announces what nobody here would take.
    if (fresh && this.#parts.receive) session.send(xml('presence', {}));
    this.#downlink?.online(session, fresh);
    for (const uplink of this.#uplinks) uplink.online(session, fresh);
    this.#parts.opened?.();
  }
}

function shortInWords(short: HomeStatus['short'] = []): string | undefined {
  if (short.length === 0) return undefined;
  return short.slice(0, 5).map(({ topic, waiting, keeps }) => `${topic}: ${waiting} wait, and its node keeps ${keeps === undefined ? 'fewer' : `${keeps} items`}`).join('; ');
}

/** What the owner says of the way there. */
function wayOf({ transport, host, port, url, ca, pin, proxy }: Account): Whereabouts {
  return { transport, host, port, url, ca, pin, proxy: proxy === undefined ? undefined : parseProxy(proxy) };
}
