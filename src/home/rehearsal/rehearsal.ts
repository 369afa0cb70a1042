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
import { reportOf } from './report.ts';
import { clearHere, clearThere, forgetTrace, keepTrace, REHEARSAL_READER, type Trace, traceOf } from './trace.ts';

export interface RehearsalParts {
  readonly id: string;
  readonly home: Home;
  /** Whether it is still the home's: it may be changed or removed meanwhile. */
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

/** It goes up as the first of the home's own topics do. What would be given up by a rule or a budget is not: all is looked for. */
function asOwn(rule: Rule, [own]: readonly Rule[]): Rule {
  return own ? { ...rule, pack: own.pack, order: own.order, priority: own.priority } : rule;
}

export class Rehearsal {
  readonly #parts: RehearsalParts;
  readonly #options: CheckedRehearsal;
  readonly #trace: Trace;
  readonly #uplink: Uplink;
  readonly #sent: string[] = [];
  #asked = 0;
  #refused = 0;
  #pending = 0;
  #peak = 0;
  #toldAt = -Infinity;
  #phase: RehearsalEvent['phase'] = 'before';

  constructor(options: CheckedRehearsal, parts: RehearsalParts) {
    const { home, log, clock, trouble, limits, id } = parts;
    const { account: { jid, service: named }, uplink } = home;
    // Where others of its topics are, this one can be, too.
    const service = uplink.pep ? jid : named;
    this.#options = options;
    this.#parts = parts;
    this.#trace = traceOf(id, { jid, service });
    const { topic, node } = this.#trace;
    this.#uplink = new Uplink({
      jid, reader: REHEARSAL_READER, packer: REHEARSAL_READER, service, open: false, rules: [asOwn(toRule({ filter: topic, node }), home.account.rules)], cursors: {}, boxId: log.boxId, log, clock, trouble, limits,
      carried: { has: () => false, may: () => false },
    });
  }

  /** Rejects when it cannot begin, or `signal` aborts; what it has made is gone either way. */
  async run(signal: AbortSignal): Promise<RehearsalReport> {
    const { home, log } = this.#parts;
    const { topic } = this.#trace;
    const failures: string[] = [];
    let outcome: { readonly reconnected: number | undefined; readonly emptied: number | undefined; readonly atHome: AtHome | undefined; readonly stored: number; readonly drained: number };
    await keepTrace(log.registry, this.#trace);
    try {
      // Its own, so that nothing of it leaves the view before it has been counted.
      await log.append({ topic, kind: 'configure', config: { maxItems: 1_000_000 } });
      await this.#uplink.start();
      home.join(this.#uplink);
      const [reconnected, emptied] = await this.#outage(failures, signal);
      const stored = log.topic(topic)?.count ?? 0;
      const { left } = await this.#uplink.backlog();
      this.#phase = 'reading';
      this.#told(true);
      outcome = { reconnected, emptied, stored, drained: Math.max(0, this.#sent.length - left), atHome: await this.#read(failures, signal) };
    } finally {
      home.restore();
      await this.#clear(failures);
    }
    const { outage, rate } = this.#options;
    return reportOf({ home: home.jid, outage, rate, sent: this.#sent, refused: this.#refused, peakBytes: this.#peak, failures, ...outcome });
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
    const end = clock.mono() + most;
    while (!await so()) {
      if (clock.mono() >= end) return false;
      await this.#pause(STEP, signal);
      this.#told(false);
    }
    return true;
  }

  /** All that was published is on disk, and at home as far as that says. */
  async #empty(): Promise<boolean> {
    return this.#pending === 0 && this.#uplink.answered > 0 && (await this.#uplink.backlog()).left === 0;
  }

  #publish(count: number): void {
    const { log } = this.#parts;
    const { topic, id } = this.#trace;
    for (let n = 0; n < count; n++) {
      this.#pending++;
      log.append({ topic, kind: 'publish', payload: toPayload({ rehearsal: id, n: this.#asked++, text: TEXT }) }).then(
        ({ recordId }) => this.#sent.push(recordId),
        () => this.#refused++, // the log has said why
      ).finally(() => {
        this.#pending--;
        this.#peak = Math.max(this.#peak, log.topic(topic)?.bytes ?? 0);
      });
    }
  }

  async #read(failures: string[], signal: AbortSignal): Promise<AtHome | undefined> {
    const { home } = this.#parts;
    const { service, node } = this.#trace;
    for (let tries = 1; ; tries++) {
      try {
        return await readAtHome((iq, timeout) => home.request(iq, timeout), { service, node, sent: this.#sent });
      } catch (error) {
        signal.throwIfAborted();
        if (tries < ASKS && error instanceof LanpostError && (error.code === 'unreachable' || error.code === 'disconnected' || error.code === 'timeout')) await this.#pause(AGAIN, signal);
        else {
          failures.push(`what is at home could not be seen: ${reasonOf(error)}`);
          return undefined;
        }
      }
    }
  }

  /** What cannot be cleared now is cleared when the home is there again, or at the next start. */
  async #clear(failures: string[]): Promise<void> {
    const { home, log } = this.#parts;
    this.#phase = 'clearing';
    this.#told(true);
    home.part(this.#uplink);
    try {
      await this.#uplink.close();
      await clearHere(log, this.#trace);
      await clearThere((iq, timeout) => home.request(iq, timeout), this.#trace);
      await forgetTrace(log.registry, this.#trace);
    } catch (error) {
      failures.push(`${this.#trace.node} could not be cleared away: ${reasonOf(error)}; that is tried again`);
    }
  }

  #told(now: boolean, left?: number): void {
    const { clock, tell, home } = this.#parts;
    if (!now && clock.mono() - this.#toldAt < TOLD) return;
    this.#toldAt = clock.mono();
    tell({ phase: this.#phase, home: home.jid, sent: this.#sent.length, drained: this.#uplink.answered, bytes: this.#peak, ...left === undefined ? {} : { left: Math.round(left) } });
  }

  #pause(ms: number, signal: AbortSignal): Promise<void> {
    const { clock, current, home } = this.#parts;
    signal.throwIfAborted();
    if (!current()) return Promise.reject(new LanpostError('conflict', `${home.jid} was changed or removed while its outage was rehearsed.`));
    return new Promise((resolve, reject) => {
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
