// Selected topics of the log → items in a home's pubsub service.
// queued → in flight → acked → settled; the cursor moves only at settled, so nothing is trimmed before.
import type { DrainProgress } from '../api.ts';
import type { ShortNode } from '../api.ts';
import { backlogOf, type Backlog } from './backlog.ts';
import { Checking } from './checking.ts';
import { cursorName } from './cursor-name.ts';
import { Failures } from './failures.ts';
import type { Entry, Lane } from './lane.ts';
import { Sending } from './sending.ts';
import type { PepStatus } from './pep.ts';
import type { HomeSession } from './session.ts';
import type { UplinkOptions } from './uplink-options.ts';
import { Work } from './work.ts';

export class Uplink {
  readonly #work: Work;
  readonly #failures: Failures;
  readonly #checking: Checking;
  readonly #sending: Sending;

  constructor(options: UplinkOptions) {
    this.#work = new Work(options, (lane) => this.#sending.wake(lane));
    const parts = { work: this.#work, wake: this.#work.wake, wakeAll: () => this.#sending.wakeAll(), whose: (lane: Lane) => this.#checking.whose(lane), dissolve: (lane: Lane, entry: Entry) => this.#sending.packing.dissolve(lane, entry) };
    this.#failures = new Failures(parts);
    this.#checking = new Checking({ ...parts, failures: this.#failures, packBytes: () => this.#sending.packBytes });
    this.#sending = new Sending({ work: this.#work, failures: this.#failures, checking: this.#checking });
  }

  /** Opens its readers; from then on the log keeps what the home does not have. */
  start(): Promise<void> {
    return this.#work.start();
  }

  async close(): Promise<void> {
    this.#failures.close();
    this.#sending.close();
    await this.#work.close();
  }

  /** Records not settled, and the oldest of them. */
  async backlog(): Promise<Backlog> {
    const { log, rules, cursors, reader } = this.#work.options;
    const names = new Set(rules.map(({ filter }) => cursorName(reader, filter, cursors[filter])));
    return backlogOf(log, (name) => names.has(name));
  }

  /** What the home acknowledged, a second. */
  get rate(): { readonly items: number; readonly bytes: number } {
    return this.#sending.flow.rate;
  }

  /** How far what waits has gone up; nothing while there is nothing to speak of. */
  draining({ left }: Backlog): DrainProgress | undefined {
    const { drain, answered, flow } = this.#sending;
    return drain.now(answered, left, flow.rate.items);
  }

  /** The last backlog that has gone up. */
  get drained(): DrainProgress | undefined {
    return this.#sending.drain.last;
  }

  /** The byte budget lets something go again. */
  wake(): void {
    this.#sending.schedule();
  }

  /** Topics that wait for somebody, and why. */
  held(): { readonly topic: string; readonly reason: string }[] {
    const { lanes, options: { clock } } = this.#work;
    return [...lanes.values()].filter((lane) => lane.heldUntil > clock.mono() || lane.standing.length > 0).map((lane) => ({ topic: lane.topic, reason: lane.reason ?? 'held' }));
  }

  /** What goes to the account's own service, and why. */
  get pep(): PepStatus | undefined {
    return this.#work.pep.status;
  }

  /** Topics of which the home keeps fewer items than wait. */
  get short(): readonly ShortNode[] {
    return [...this.#work.lanes.values()].flatMap(({ topic, node, short }) => (short ? [{ topic, node, waiting: short.waiting, ...(short.keeps === undefined ? {} : { keeps: short.keeps }) }] : []));
  }

  /** Another box has said that more of it is at home. */
  carriedMore(): void {
    this.#work.carriedMore();
  }

  /** Items the home has acknowledged, ever. */
  get answered(): number {
    return this.#sending.answered;
  }

  /** The session can carry requests; `fresh`: it is not the one that was there before. */
  online(session: HomeSession, fresh: boolean): void {
    this.#work.session = session;
    if (fresh) this.#begin();
    else {
      // What came while it was broken is all there: how many more it is than a node keeps can be told.
      for (const lane of this.#work.lanes.values()) lane.measured = undefined;
      this.#checking.resumed(session);
    }
    this.#work.settling.resume();
    this.#sending.online(fresh);
  }

  /** The connection has gone; what is in flight stays so until the session is resumed or given up. */
  offline(): void {
    this.#work.session = undefined;
    this.#work.settling.pause();
  }

  /** The stream died of something we sent: find out what, one at a time. */
  suspect(reason: string): void {
    this.#sending.suspect(reason);
  }

  /** The stream died of something we asked for. */
  choked(): void {
    this.#checking.choked();
  }

  // What was sent on another session may be lost: look, before anything more is sent.
  #begin(): void {
    const work = this.#work;
    work.generation++;
    this.#sending.begin();
    this.#checking.begin();
    this.#failures.begin();
    for (const main of work.reading.mains) main.doubtRetries();
    for (const lane of work.lanes.values()) {
      for (const entry of lane.flight) work.unanswered(lane, entry);
      work.queued(lane, lane.returned.splice(0));
      lane.failure = undefined;
      lane.phase = 'new';
      // Where a service makes a missing node of itself, it makes it open to all.
      lane.created = false;
      lane.measured = undefined;
      lane.room = undefined;
      lane.readBack ||= lane.unknown.length > 0;
      if (lane.takenAt !== undefined) work.doubt(lane);
      work.comeBack(lane);
      work.release(lane);
      if (lane.idle) work.lanes.delete(lane.topic);
    }
    this.#sending.wakeAll();
  }
}
