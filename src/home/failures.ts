// What is done about an item that did not get through: sent again, waited for, or put aside.
import { LanpostError } from '../errors.ts';
import { failureOf, type Failure } from './failure.ts';
import { Holding } from './holding.ts';
import type { Entry, Lane } from './lane.ts';
import { noteOf } from './poison.ts';
import { reasonOf } from './reason.ts';
import { failedAgain, gotThrough, triesOf, verdictOn } from './trial.ts';
import type { Work } from './work.ts';

const MINUTE = 60_000;
const LONG = 4;

/** What is the matter with a node that refuses. */
export interface Whose {
  readonly words: string;
  /** It is there, and not the account's. */
  readonly owned: boolean;
}

export interface FailuresParts {
  readonly work: Work;
  readonly wake: (lane: Lane) => void;
  readonly wakeAll: () => void;
  /** To whom the topic's node belongs, or that it is not there, when that may be why it refuses. */
  readonly whose: (lane: Lane) => Promise<Whose | undefined>;
  /** The records of a pack are to go alone. */
  readonly dissolve: (lane: Lane, entry: Entry) => Promise<void>;
}

export class Failures {
  readonly #parts: FailuresParts;
  readonly #holding: Holding;

  constructor(parts: FailuresParts) {
    this.#parts = parts;
    const { jid, service, clock, trouble } = parts.work.options;
    this.#holding = new Holding({ jid, service, clock, trouble, wake: (lane) => this.#goOn(lane), back: (lane) => this.#back(lane), wakeAll: parts.wakeAll });
  }

  get serviceAway(): boolean {
    return this.#holding.serviceAway;
  }

  close(): void {
    this.#holding.close();
  }

  /** A new session: everything may be tried at once. */
  begin(): void {
    this.#holding.reset();
  }

  /** An item of the topic got through. */
  answered(lane: Lane, { itemId, seq }: Entry): void {
    // Another try of an older one would put it over the newer.
    const older = (entry: Entry): boolean => entry.itemId === itemId && entry.seq < seq;
    // Not a moment later than what took its place: once that has settled nobody looks again.
    for (const entry of lane.flight) if (older(entry)) entry.replaced = lane.takenAt;
    for (const entry of lane.returned.filter(older)) this.#parts.work.superseded(lane, entry);
    lane.returned = lane.returned.filter((entry) => !older(entry));
    this.#holding.answered();
    // One at a time until it is known of each that stood back whether it gets through now.
    lane.alone = lane.standing.length > 0;
    this.#passed(lane, { itemId, seq });
    lane.holds = 0;
    lane.createdAgain = 0;
    lane.reason = undefined;
    if (lane.failure !== undefined && lane.flight.size === 0) this.#recover(lane);
  }

  failed(lane: Lane, entry: Entry, error: unknown): void {
    const failure = failureOf(error);
    const reason = reasonOf(error);
    if (failure === 'unknown' && entry.replaced === undefined) lane.unknown.push(entry);
    else if (entry.replaced !== undefined) this.#parts.work.superseded(lane, entry);
    else if (failure === 'poison') this.refused(lane, entry, reason);
    else {
      entry.tries++;
      if (failure === 'retry') failedAgain(lane, entry, this.#parts.work.options.clock.mono());
      lane.returned.push(entry);
      // The first failure tells most; what was in flight behind it often only follows from it.
      lane.failure ??= failure;
      lane.reason ??= reason;
    }
    if (lane.flight.size === 0) this.#recover(lane);
  }

  /** All answers of the topic are in: the failed go back in order, then whatever the failure asks for. */
  #recover(lane: Lane): void {
    const { failure } = lane;
    if (failure === undefined) return this.#parts.wake(lane);
    lane.failure = undefined;
    // What got through meanwhile may have taken the place of what did not.
    if (this.#parts.work.isLatest(lane)) lane.lookAgain();
    else this.#note(lane);
    const [worst] = lane.returned.toSorted((a, b) => b.tries - a.tries);
    this.#parts.work.queued(lane, lane.returned.splice(0));
    this.act(lane, failure, worst?.tries ?? 0, worst);
  }

  /** What others may pass is known on disk: another process must not take it for there because of those. */
  #note(lane: Lane): void {
    for (const { seq, tries, retried, pack } of lane.returned) if (tries === 1 && !retried && !pack) lane.cursor.count(seq, 1).catch(() => undefined); // a log that takes nothing takes no others either
  }

  /** `entry`: what has been tried so often, if it is an item. */
  act(lane: Lane, failure: Failure, tries: number, entry?: Entry): void {
    const reason = lane.reason ?? failure;
    if (failure === 'create') {
      this.#parts.work.comeBack(lane);
      // The node has gone, and with it what was acknowledged.
      lane.created = false;
      lane.lookAgain();
      if (lane.takenAt !== undefined) this.#parts.work.doubt(lane);
      if (lane.createdAgain++ >= 2) return this.#hold(lane, `the node is not there and cannot be made: ${lane.unmade ?? reason}`);
    } else if (failure === 'hold') return this.#holdWhose(lane, reason);
    else if (failure === 'service') {
      // When it is there again nothing need go before anything else.
      for (const one of this.#parts.work.lanes.values()) this.#parts.work.comeBack(one);
      return this.#holding.pauseService(reason);
    }
    else if (failure === 'retry') {
      lane.alone = true;
      if (entry && tries >= triesOf(lane, entry)) return this.#stuck(lane, entry, reason);
      this.#holding.wait(lane, Math.min(MINUTE, 500 * 2 ** tries));
      // A long wait: what stands behind must not take up the room of others.
      if (tries >= LONG) this.#parts.work.leave(lane, (one) => one.tries === 0);
      return;
    }
    this.#parts.wake(lane);
  }

  /** Whether it is the item or the node that is at fault, what is behind it tells. */
  #stuck(lane: Lane, entry: Entry, reason: string): void {
    const { work, wake } = this.#parts;
    const verdict = verdictOn(lane, entry);
    if (verdict === 'refused' && work.takeOut(lane, entry)) return this.refused(lane, entry, reason);
    const first = lane.standing.length === 0;
    if (verdict !== 'stand' || !work.standBack(lane, entry)) return this.#hold(lane, reason);
    lane.reason = reason;
    const trial = lane.trials.get(entry.seq);
    if (first) this.#holding.stand(lane, entry.recordId, trial?.told === true);
    if (trial) Object.assign(trial, { passed: false, told: trial.told || first });
    wake(lane);
  }

  /** Something of the topic got through: what stood back is tried once more, unless it would put itself over that. */
  #passed(lane: Lane, { itemId, seq }: Pick<Entry, 'itemId' | 'seq'>): void {
    gotThrough(lane, seq);
    if (lane.standing.length === 0) return;
    const older = lane.standing.filter((one) => one.itemId === itemId && (one.seqs[0] ?? seq) < seq);
    lane.standing = lane.standing.filter((one) => !older.includes(one));
    for (const one of older.flatMap(({ seqs }) => seqs)) lane.cursor.done(one, 'superseded');
    this.#parts.work.comeBack(lane);
  }

  #back(lane: Lane): void {
    this.#parts.work.comeBack(lane);
    this.#parts.wake(lane);
  }

  #goOn(lane: Lane): void {
    lane.createdAgain = 0;
    // After minutes or days: more waits, and whoever mended the node may have changed what it keeps.
    if (lane.holds > 0) lane.measured = undefined;
    this.#parts.work.release(lane);
    this.#parts.wake(lane);
  }

  /** As `hold`; whose the node is, or that there is none, may tell why: Prosody answers both alike. */
  #holdWhose(lane: Lane, reason: string): void {
    this.#hold(lane, reason);
    const { work: { options: { jid, trouble } }, whose } = this.#parts;
    whose(lane).then((found) => {
      if (found === undefined || lane.heldUntil === 0) return undefined;
      const { words, owned } = found;
      lane.reason = `${reason}; ${words}`;
      if (owned && lane.whose !== words) trouble({ kind: 'home.owner', message: `${jid}: ${lane.topic}: ${words}` });
      lane.whose = words;
      return undefined;
    }).catch(() => undefined); // that it waits has been said
  }

  /** Its records stay in the log, undone; nothing else waits for it. */
  #hold(lane: Lane, reason: string): void {
    const { work } = this.#parts;
    this.#holding.hold(lane, reason);
    work.comeBack(lane);
    work.leave(lane);
    // What it had in flight makes room for others.
    this.#parts.wake(lane);
  }

  /** The home will not take it: of a pack, perhaps it takes the records. */
  refused(lane: Lane, entry: Entry, reason: string): void {
    if (entry.pack) void this.#parts.dissolve(lane, entry);
    else void this.#poison(lane, entry, reason);
  }

  async #poison(lane: Lane, entry: Entry, reason: string): Promise<void> {
    const { work, wake } = this.#parts;
    const { jid, clock, trouble } = work.options;
    lane.aside++;
    try {
      await lane.cursor.putAside(entry.seq, noteOf(entry, reason, clock.wall()));
      trouble({ kind: 'home.poison', message: `${jid} will not take ${entry.recordId} of ${lane.topic}; it was put aside: ${reason}` });
    } catch (error) {
      work.queued(lane, [entry]);
      if (error instanceof LanpostError && error.code === 'busy') return this.#hold(lane, `too much had to be put aside already; now also: ${reason}`);
      // The log takes nothing now; it is tried again like any other.
      lane.reason = reasonOf(error);
      this.act(lane, 'retry', 3);
    } finally {
      lane.aside--;
      work.rejoin(lane);
    }
    wake(lane);
  }
}
