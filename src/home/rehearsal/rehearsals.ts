// One rehearsal at a time, loaded when somebody asks for one; what one has left that was ended by force goes as soon as it can.
import { randomBytes } from 'node:crypto';
import type { RehearsalEvent, RehearseOptions, Trouble } from '../../api.ts';
import type { Clock } from '../../clock.ts';
import { LanpostError } from '../../errors.ts';
import { EventSource } from '../../event-stream.ts';
import { late } from '../../late.ts';
import type { Log } from '../../log/log.ts';
import { bare } from '../../xmpp/jid.ts';
import type { Home, HomeLimits } from '../home.ts';
import { reasonOf } from '../reason.ts';
import { checkedRehearsal, type CheckedRehearsal } from './options.ts';
import { clearHere, clearThere, forgetTrace, tracesIn } from './trace.ts';

export interface RehearsalsParts {
  readonly log: Log;
  readonly clock: Clock;
  readonly trouble: (trouble: Trouble) => void;
  readonly limits: HomeLimits;
  /** By account. */
  readonly homes: () => ReadonlyMap<string, Home>;
}

export class Rehearsals {
  readonly #parts: RehearsalsParts;
  readonly #closing = new AbortController();
  /** Until what it made is gone again. */
  #running: Promise<unknown> | undefined;
  readonly #clearing = new Set<string>();

  constructor(parts: RehearsalsParts) {
    this.#parts = parts;
  }

  /** Before the homes that are kept are there: nothing of a rehearsal that a former process had begun goes up any more. */
  async start(): Promise<void> {
    const { log, trouble } = this.#parts;
    // Homes that were added meanwhile are there already, and one may be rehearsing: what it has made is its own.
    if (this.#running) return;
    for (const trace of tracesIn(log.registry)) {
      // A log that takes nothing keeps it a while longer.
      await clearHere(log, trace).catch((error: unknown) => trouble({ kind: 'home.rehearsal', message: `${trace.topic} could not be cleared away: ${reasonOf(error)}` }));
    }
  }

  /** What former ones have left at that home goes. */
  cameOnline(home: Home): void {
    const { log, trouble } = this.#parts;
    if (this.#running) return;
    for (const trace of tracesIn(log.registry)) {
      if (trace.jid !== home.jid || this.#clearing.has(trace.id)) continue;
      this.#clearing.add(trace.id);
      clearHere(log, trace).then(() => clearThere((iq, timeout) => home.request(iq, timeout), trace)).then(() => forgetTrace(log.registry, trace))
        .catch((error: unknown) => trouble({ kind: 'home.rehearsal', message: `${trace.node} at ${trace.jid} could not be cleared away: ${reasonOf(error)}` }))
        .finally(() => this.#clearing.delete(trace.id));
    }
  }

  /** The home is gone, and what is there with it. */
  async forget(jid: string): Promise<void> {
    const { log } = this.#parts;
    for (const trace of tracesIn(log.registry)) if (trace.jid === jid) await forgetTrace(log.registry, trace);
  }

  async *rehearse(options: RehearseOptions): AsyncIterableIterator<RehearsalEvent> {
    const checked = checkedRehearsal(options);
    const home = this.#homeFor(checked);
    const ending = new AbortController();
    const signals = [ending.signal, this.#closing.signal, ...options.signal ? [options.signal] : []];
    const signal = AbortSignal.any(signals);
    signal.throwIfAborted();
    const source = new EventSource<RehearsalEvent>();
    const events = source.follow();
    const run = this.#run(checked, home, signal, source);
    run.catch(() => undefined); // seen below
    const done = run.catch(() => undefined).finally(() => {
      source.close();
      this.#running = undefined;
      // Homes that came meanwhile were left alone.
      if (!this.#closing.signal.aborted) for (const one of this.#parts.homes().values()) if (one.online) this.cameOnline(one);
    });
    this.#running = done;
    try {
      for await (const event of events) yield event;
      await run;
    } finally {
      ending.abort(new LanpostError('closed', 'Nobody follows the rehearsal any more.'));
      await done;
    }
  }

  #homeFor({ home: asked }: CheckedRehearsal): Home {
    const homes = this.#parts.homes();
    const [only] = homes.values();
    const home = asked === undefined ? only : homes.get(bare(asked) ?? asked);
    if (!home) throw new LanpostError('not-found', asked === undefined ? 'No home is configured.' : `There is no home ${asked}.`);
    if (asked === undefined && homes.size > 1) throw new LanpostError('invalid-value', `There are ${homes.size} homes: say which one.`);
    if (home.account.group !== undefined) throw new LanpostError('unsupported', `${home.jid} is one of a group: when its road is cut another carries on, so that no outage can be rehearsed.`);
    if (!home.online) throw new LanpostError('unreachable', `${home.jid} is not connected: there is no road to cut.`);
    if (this.#running) throw new LanpostError('in-use', 'A rehearsal is under way.');
    return home;
  }

  async #run(options: CheckedRehearsal, home: Home, signal: AbortSignal, source: EventSource<RehearsalEvent>): Promise<void> {
    const { log, clock, trouble, limits, homes } = this.#parts;
    const { Rehearsal } = await late('What rehearses an outage', () => import('./rehearsal.ts'));
    const tell = (event: RehearsalEvent): void => source.emit(event);
    const rehearsal = new Rehearsal(options, {
      id: randomBytes(8).toString('hex'), home, current: () => homes().get(home.jid) === home, log, clock, trouble, limits, tell,
    });
    const report = await rehearsal.run(signal);
    tell({ phase: 'over', home: home.jid, sent: report.sent, drained: report.drained, bytes: report.peakBytes, report });
  }

  async close(): Promise<void> {
    this.#closing.abort(new LanpostError('closed'));
    await this.#running;
  }
}
