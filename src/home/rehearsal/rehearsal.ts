// An outage, rehearsed: the road to a home is really cut, records really go into the log and up to a node of their own, and the home is
// asked for each of them. What is of others meets the same outage as any, and is not touched.
import type { RehearsalEvent, RehearsalReport, Trouble } from '../../api.ts';
import type { Clock, Timer } from '../../clock.ts';
import { LanpostError } from '../../errors.ts';
import type { Log } from '../../log/log.ts';
import { toPayload } from '../../payload/payload.ts';
import type { Home, HomeLimits } from '../home.ts';
import { reasonOf } from '../reason.ts';
import { toRule, type Rule } from '../up-rule.ts';
import { Uplink } from '../uplink.ts';
import { readAtHome, type AtHome } from './at-home.ts';
import type { CheckedRehearsal } from './options.ts';
import { type Counted, reportOf } from './report.ts';
import { clearHere, clearThere, forgetTrace, keepTrace, REHEARSAL_READER, rehearsalPacker, type Trace, traceOf } from './trace.ts';

export interface RehearsalParts {
  readonly id: string;
  /** Whose road is cut. */
  readonly home: Home;
  /** All of its group, or it alone. */
  readonly homes: readonly Home[];
  /** Whether they are still these: one may be changed or removed meanwhile. */
  readonly current: () => boolean;
  readonly log: Log;
  readonly clock: Clock;
  readonly trouble: (trouble: Trouble) => void;
  readonly limits: HomeLimits;
  readonly tell: (event: RehearsalEvent) => void;
}

/** Between two looks, and between two that are told; ms. */
const STEP = 100;
const TOLD = 1_000;
/** Published while the road is there, before and after, and time for that to arrive; ms. */
const BEFORE = 2_000;
const READY = 60_000;
/** After the road is there again: a pause between two tries may be 5 minutes. */
const DRAINED = 900_000;
/** Tries to ask the home, where a session is lost in between; ms between them. */
const ASKS = 5;
const AGAIN = 5_000;
/** What is cut off and asked for again: as it comes from a small sensor. */
const TEXT = 'a rehearsal, to be forgotten';

/** Where others of its topics are, this one can be, too. */
function serviceOf({ account: { jid, service }, uplink }: Home): string {
  return uplink.pep ? jid : service;
}

/** The ways in which the home's own topics go up, each once; without rules there is one all the same. */
function waysOf(rules: readonly Rule[]): Way[] {
  const ways = new Map<string, Way>();
  for (const { pack, order, priority, expire } of rules) ways.set(JSON.stringify([pack, order, priority, expire === Infinity ? null : expire]), { pack, order, priority, expire });
  return ways.size > 0 ? [...ways.values()] : [{}];
}

type Way = Partial<Pick<Rule, 'pack' | 'order' | 'priority' | 'expire'>>;

/** One of the ways: what is published so, and what of it was accepted. */
interface Track {
  readonly topic: string;
  readonly rule: Rule;
  readonly sent: string[];
  /** By home. */
  readonly traces: ReadonlyMap<Home, Trace>;
}

export class Rehearsal {
  readonly #parts: RehearsalParts;
  readonly #options: CheckedRehearsal;
  readonly #tracks: readonly Track[];
  /** That it goes to now, and all that it went to. */
  #at: Home;
  readonly #used: Set<Home>;
  #uplink: Uplink;
  /** By homes before that one. */
  #answered = 0;
  readonly #expired = new Set<string>();
  #budgetWait = 0;
  #asked = 0;
  #refused = 0;
  #pending = 0;
  #peak = 0;
  #toldAt = -Infinity;
  #phase: RehearsalEvent['phase'] = 'before';

  constructor(options: CheckedRehearsal, parts: RehearsalParts) {
    const { home, homes, id } = parts;
    this.#options = options;
    this.#parts = parts;
    const ways = waysOf(home.account.rules);
    this.#tracks = ways.map((way, n) => {
      const traces = new Map(homes.map((one) => [one, traceOf(ways.length === 1 ? id : `${id}-${n + 1}`, { jid: one.jid, service: serviceOf(one) })]));
      const [{ topic, node } = traceOf(id, { jid: home.jid, service: '' })] = traces.values();
      return { topic, rule: { ...toRule({ filter: topic, node }), ...way }, sent: [], traces };
    });
    this.#at = home;
    this.#used = new Set([home]);
    this.#uplink = this.#uplinkTo(home);
  }

  #uplinkTo(home: Home): Uplink {
    const { log, clock, trouble, limits } = this.#parts;
    const { jid, budget } = home;
    return new Uplink({
      jid, reader: REHEARSAL_READER, packer: rehearsalPacker(jid), service: serviceOf(home), open: false, rules: this.#tracks.map(({ rule }) => rule), cursors: {}, boxId: log.boxId, log, clock, trouble, limits,
      carried: { has: () => false, may: () => false }, budget, expired: (ids) => { for (const one of ids) this.#expired.add(one); },
    });
  }

  get #traces(): Trace[] {
    return this.#tracks.flatMap(({ traces }) => [...traces.values()]);
  }

  get #sent(): number {
    return this.#tracks.reduce((sum, { sent }) => sum + sent.length, 0);
  }

  /** Rejects when it cannot begin, or `signal` aborts; what it has made is gone either way. */
  async run(signal: AbortSignal): Promise<RehearsalReport> {
    const { home, log } = this.#parts;
    const failures: string[] = [];
    let outcome: Pick<Counted, 'reconnected' | 'emptied' | 'topics' | 'stored' | 'drained'>;
    for (const trace of this.#traces) await keepTrace(log.registry, trace);
    try {
      // Its own, so that nothing of it leaves the view before it has been counted.
      for (const { topic } of this.#tracks) await log.append({ topic, kind: 'configure', config: { maxItems: 1_000_000 } });
      await this.#uplink.start();
      home.join(this.#uplink);
      const [reconnected, emptied] = await this.#outage(failures, signal);
      const stored = this.#tracks.reduce((sum, { topic }) => sum + (log.topic(topic)?.count ?? 0), 0);
      const { left } = await this.#uplink.backlog();
      this.#phase = 'reading';
      this.#told(true);
      const topics = [];
      for (const track of this.#tracks) topics.push({ sent: track.sent, atHomes: await this.#read(track, failures, signal) });
      outcome = { reconnected, emptied, stored, drained: Math.max(0, this.#sent - this.#expired.size - left), topics };
    } finally {
      home.restore();
      await this.#clear(failures);
    }
    const { outage, rate } = this.#options;
    return reportOf({ home: home.jid, outage, rate, expired: this.#expired, budgetWait: this.#budgetWait, refused: this.#refused, peakBytes: this.#peak, failures, ...outcome });
  }

  /** How long after the road was there again it was taken, and nothing was left. */
  async #outage(failures: string[], signal: AbortSignal): Promise<[number | undefined, number | undefined]> {
    const { home, clock } = this.#parts;
    const { outage } = this.#options;
    await this.#during('before', BEFORE, signal);
    if (!await this.#until(READY, signal, () => this.#empty())) {
      const [held] = this.#uplink.held();
      throw new LanpostError('unreachable', `Nothing of a rehearsal arrives at ${home.jid} even while its road is there${held ? `: ${held.reason}` : ''}.`);
    }
    // Some are on their way at that moment.
    this.#publish(8);
    home.cut(`a rehearsal: its road is cut for ${Math.round(outage / 1_000)} s`);
    await this.#during('cut', outage, signal);
    home.restore();
    const back = clock.mono();
    this.#phase = 'draining';
    if (!await this.#until(DRAINED, signal, () => home.online)) {
      failures.push(`the home was not reached again within ${DRAINED / 60_000} min`);
      return [undefined, undefined];
    }
    const reconnected = clock.mono() - back;
    if (!await this.#until(DRAINED, signal, () => this.#empty())) {
      failures.push(`what waited did not go up within ${DRAINED / 60_000} min`);
      return [reconnected, undefined];
    }
    return [reconnected, clock.mono() - back];
  }

  /** Publishes at the rate, for so long. */
  async #during(phase: RehearsalEvent['phase'], ms: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts;
    this.#phase = phase;
    const began = clock.mono();
    const before = this.#asked;
    const most = Math.ceil((ms / 1_000) * this.#options.rate);
    for (let passed = 0; passed < ms;) {
      await this.#pause(Math.min(STEP, ms - passed), signal);
      passed = clock.mono() - began;
      this.#publish(Math.min(most, Math.floor((passed / 1_000) * this.#options.rate)) - (this.#asked - before));
      this.#told(false, Math.max(0, ms - passed));
    }
  }

  async #until(most: number, signal: AbortSignal, so: () => boolean | Promise<boolean>): Promise<boolean> {
    const { clock } = this.#parts;
    let last = clock.mono();
    let end = last + most;
    while (!await so()) {
      const now = clock.mono();
      if ((this.#at.budget?.wait ?? 0) > 0) {
        // That is the owner's will, and takes as long as it takes.
        this.#budgetWait += now - last;
        end += now - last;
      }
      last = now;
      if (now >= end) return false;
      await this.#pause(STEP, signal);
      this.#told(false);
    }
    return true;
  }

  /** All that was published is on disk, and at home as far as that says. */
  async #empty(): Promise<boolean> {
    return this.#pending === 0 && this.#uplink.answered > 0 && (await this.#uplink.backlog()).left === 0;
  }

  /** In each of the ways in turn. */
  #publish(count: number): void {
    const { log, id } = this.#parts;
    for (let i = 0; i < count; i++) {
      const n = this.#asked++;
      const track = this.#tracks[n % this.#tracks.length];
      if (!track) continue;
      this.#pending++;
      log.append({ topic: track.topic, kind: 'publish', payload: toPayload({ rehearsal: id, n, text: TEXT }) }).then(
        ({ recordId }) => track.sent.push(recordId),
        () => this.#refused++, // the log has said why
      ).finally(() => {
        this.#pending--;
        this.#peak = Math.max(this.#peak, this.#tracks.reduce((sum, { topic }) => sum + (log.topic(topic)?.bytes ?? 0), 0));
      });
    }
  }

  /** At each home that it went to. */
  async #read({ sent, traces }: Track, failures: string[], signal: AbortSignal): Promise<(AtHome | undefined)[]> {
    const seen: (AtHome | undefined)[] = [];
    for (const [home, { service, node }] of traces) if (this.#used.has(home)) seen.push(await this.#readAt(home, { service, node, sent }, failures, signal));
    return seen;
  }

  async #readAt(home: Home, asked: Parameters<typeof readAtHome>[1], failures: string[], signal: AbortSignal): Promise<AtHome | undefined> {
    for (let tries = 1; ; tries++) {
      try {
        return await readAtHome((iq, timeout) => home.request(iq, timeout), asked);
      } catch (error) {
        signal.throwIfAborted();
        if (tries < ASKS && error instanceof LanpostError && (error.code === 'unreachable' || error.code === 'disconnected' || error.code === 'timeout')) await this.#pause(AGAIN, signal);
        else {
          failures.push(`what is at ${this.#used.size === 1 ? 'home' : home.jid} could not be seen: ${reasonOf(error)}`);
          return undefined;
        }
      }
    }
  }

  /** Where another home of the group goes on, this goes there, too. */
  async #follow(): Promise<void> {
    const next = this.#parts.homes.find(({ reads }) => reads);
    if (!next || next === this.#at) return;
    const former = this.#uplink;
    this.#at.part(former);
    this.#answered += former.answered;
    await former.close();
    this.#at = next;
    this.#used.add(next);
    this.#uplink = this.#uplinkTo(next);
    await this.#uplink.start();
    next.join(this.#uplink);
  }

  /** What cannot be cleared now is cleared when the home is there again, or at the next start. */
  async #clear(failures: string[]): Promise<void> {
    const { log } = this.#parts;
    this.#phase = 'clearing';
    this.#told(true);
    this.#at.part(this.#uplink);
    await this.#uplink.close().catch((error: unknown) => failures.push(`its reader did not end: ${reasonOf(error)}`));
    for (const [home, trace] of this.#tracks.flatMap(({ traces }) => [...traces])) {
      try {
        await clearHere(log, trace);
        if (this.#used.has(home)) await clearThere((iq, timeout) => home.request(iq, timeout), trace);
        await forgetTrace(log.registry, trace);
      } catch (error) {
        failures.push(`${trace.node} could not be cleared away: ${reasonOf(error)}; that is tried again`);
      }
    }
  }

  #told(now: boolean, left?: number): void {
    const { clock, tell, home } = this.#parts;
    if (!now && clock.mono() - this.#toldAt < TOLD) return;
    this.#toldAt = clock.mono();
    tell({ phase: this.#phase, home: home.jid, sent: this.#sent, drained: this.#answered + this.#uplink.answered, bytes: this.#peak, ...left === undefined ? {} : { left: Math.round(left) } });
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    const { clock, current, home } = this.#parts;
    signal.throwIfAborted();
    if (!current()) throw new LanpostError('conflict', `${home.jid} was changed or removed while its outage was rehearsed.`);
    await this.#follow();
    await new Promise<void>((resolve, reject) => {
      let timer: Timer | undefined = undefined;
      const abort = (): void => {
        timer?.stop();
        // eslint-disable-next-line prefer-promise-reject-errors -- whoever aborts says why
        reject(signal.reason);
      };
      timer = clock.after(ms, () => {
        signal.removeEventListener('abort', abort);
        resolve();
      });
      signal.addEventListener('abort', abort, { once: true });
    });
  }
}
