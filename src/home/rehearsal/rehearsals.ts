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

/** All that are one reader with it. */
function groupOf(home: Home, homes: ReadonlyMap<string, Home>): Home[] {
  const { group } = home.account;
  return group === undefined ? [home] : [...homes.values()].filter((one) => one.account.group === group);
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
    const one = asked === undefined ? only : homes.get(bare(asked) ?? asked);
    // Of a group, what is in use is what there is to cut.
    const home = asked === undefined && one ? groupOf(one, homes).find(({ reads }) => reads) ?? one : one;
    if (!home) throw new LanpostError('not-found', asked === undefined ? 'No home is configured.' : `There is no home ${asked}.`);
    if (asked === undefined && homes.size > groupOf(home, homes).length) throw new LanpostError('invalid-value', `There are ${homes.size} homes: say which one.`);
    const reading = groupOf(home, homes).find(({ reads }) => reads);
    if (!home.reads) throw new LanpostError('unsupported', `${home.jid} stands by: nothing goes up to it${reading ? `, but to ${reading.jid}` : ''}. Rehearse the outage of the one in use.`);
    if (!home.online) throw new LanpostError('unreachable', `${home.jid} is not connected: there is no road to cut.`);
    if (this.#running) throw new LanpostError('in-use', 'A rehearsal is under way.');
    return home;
  }

  async #run(options: CheckedRehearsal, home: Home, signal: AbortSignal, source: EventSource<RehearsalEvent>): Promise<void> {
    const { log, clock, trouble, limits, homes } = this.#parts;
    const { Rehearsal } = await late('What rehearses an outage', () => import('./rehearsal.ts'));
    const tell = (event: RehearsalEvent): void => source.emit(event);
    const group = groupOf(home, homes());
    const rehearsal = new Rehearsal(options, {
      id: randomBytes(8).toString('hex'), home, homes: group, current: () => group.every((one) => homes().get(one.jid) === one), log, clock, trouble, limits, tell,
    });
    const report = await rehearsal.run(signal);
    tell({ phase: 'over', home: home.jid, sent: report.sent, drained: report.drained, bytes: report.peakBytes, report });
  }

  async close(): Promise<void> {
    this.#closing.abort(new LanpostError('closed'));
    await this.#running;
  }
}
