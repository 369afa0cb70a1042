// Everything of one home that is on its way up: topics, entries, and where each entry stands.
import type { Cursor } from '../log/cursor.ts';
import type { LogRecord } from '../log/record.ts';
import { RecordAges } from '../log/stamp-age.ts';
import { homeOf } from '../pubsub/draft.ts';
import { cursorName } from './cursor-name.ts';
import { Expiring } from './expiring.ts';
import { HeldLanes } from './held-lanes.ts';
import { entryOf, Lane, partsOf, type Entry } from './lane.ts';
import { Packs } from './packs.ts';
import { Pep } from './pep.ts';
import { ReadAhead } from './read-ahead.ts';
import type { RecordPlace } from './record-element.ts';
import type { HomeSession } from './session.ts';
import { reasonOf } from './reason.ts';
import { Settling } from './settling.ts';
import { Stretches } from './stretches.ts';
import { isStale } from './trial.ts';
import { nodeOf } from './up-rule.ts';
import type { UplinkOptions } from './uplink-options.ts';

/** Items of one topic of the lane `latest` that have gone before a backlog; then it goes on in order. */
export const OVERTAKEN = 4096;

export class Work {
  readonly options: UplinkOptions;
  readonly lanes: Map<string, Lane> = new Map();
  readonly settling: Settling;
  readonly reading: ReadAhead;
  readonly packs: Packs;
  readonly pep: Pep;
  readonly stretches: Stretches;
  readonly #held: HeldLanes;
  readonly #expiring: Expiring;
  /** Of what these have acknowledged it is not known whether the home still has it, since when. */
  readonly #doubtful = new Map<Cursor, number>();
  session: HomeSession | undefined;
  /** Grows with each session: answers to an earlier one mean nothing any more. */
  generation = 0;
  closed = false;
  readonly wake: (lane: Lane) => void;

  constructor(options: UplinkOptions, wake: (lane: Lane) => void) {
    this.options = options;
    this.wake = wake;
    const { log, clock, jid, reader, rules, cursors, limits, trouble } = options;
    this.packs = new Packs(log.registry, options.packer);
    this.pep = new Pep({ registry: log.registry, jid, service: options.service, open: options.open });
    this.stretches = new Stretches(log.registry, reader);
    this.#expiring = new Expiring(options, new RecordAges(log, clock));
    this.settling = new Settling({
      clock, settle: limits.settle, settled: (tag) => this.#settled(tag),
      waiting: () => [...this.lanes.values()].some((lane) => lane.takenAt !== undefined),
    });
    this.reading = new ReadAhead({
      log, clock, carried: (topic, seq) => this.#isCarried(topic, seq), limits: rules.some(({ pack }) => pack) ? { ahead: limits.packAhead, aheadBytes: 2 * limits.aheadBytes } : limits, readers: rules.map((rule) => ({ name: cursorName(reader, rule.filter, cursors[rule.filter]), filter: rule.filter, matches: rule.matches, priority: rule.priority })),
      take: (cursor, record, redelivered) => this.#take(cursor, record, redelivered),
      owner: (cursor, topic) => cursor.held.get(topic) ?? this.#ownerOf(cursor, topic),
      starved: () => this.#starved,
      tail: (cursor) => this.#tail(cursor),
      more: (cursor) => this.#leap(cursor),
      caughtUp: (cursor) => this.lanes.get(cursor.filter)?.requeue([]),
      failed: (error) => trouble({ kind: 'home.read', message: `reading for ${jid} failed: ${String(error)}` }),
    });
    this.#held = new HeldLanes({
      reading: () => this.reading, paused: (lane) => this.isHeld(lane), live: (lane) => this.isLiveFirst(lane), parted: (lane, own) => this.#parted(lane, own),
      stayed: (lane) => {
        if (this.isHeld(lane)) this.#giveBack(lane, []);
        else this.release(lane);
      },
      failed: (reason) => trouble({ kind: 'home.read', message: `a held topic of ${jid} could not be read apart: ${reason}` }),
    });
  }

  async start(): Promise<void> {
    await this.reading.open();
    for (const [i, main] of this.reading.mains.entries()) {
      for (const [topic, own] of main.held) {
        // A rule before it has the topic; what is left here is passed.
        if (this.options.rules.slice(0, i).some((rule) => rule.matches(topic))) this.reading.adopt(own, main, { paused: () => false, live: false });
        else {
          const lane = this.#laneOf(topic, main);
          lane.behind = true;
          this.#held.adopt(lane, own);
        }
      }
    }
    this.#forgetPacks();
    this.reading.start();
  }

  async close(): Promise<void> {
    this.closed = true;
    this.settling.pause();
    await Promise.all([...this.lanes.values()].map((lane) => lane.moving ?? Promise.resolve()));
    await this.reading.close();
  }

  #laneOf(topic: string, main: Cursor): Lane {
    const known = this.lanes.get(topic);
    if (known) return known;
    const { rules, boxId } = this.options;
    const rule = rules[this.reading.mains.indexOf(main)];
    if (!rule) throw new Error(`no rule reads ${topic}`);
    const lane = new Lane({ topic, main, rule, node: nodeOf(rule, topic, boxId), stretches: this.stretches.of(topic) });
    this.lanes.set(topic, lane);
    return lane;
  }

  /** What a reader of the lane's node who takes the record into a log of its own needs to know of it. */
  placeOf({ node }: Lane, record: LogRecord): RecordPlace {
    return { previous: this.options.log.predecessor(record), topic: record.topic === node ? undefined : record.topic };
  }

  isHeld(lane: Lane): boolean {
    return lane.heldUntil > this.options.clock.mono();
  }

  /** Of a topic that went its own way while the record was on its way here. */
  #ownerOf(cursor: Cursor, topic: string): Cursor {
    const lane = this.lanes.get(topic);
    return lane && (lane.main === cursor || lane.own === cursor) ? lane.cursor : cursor;
  }

  #take(cursor: Cursor, record: LogRecord, redelivered: boolean): void {
    const { seq, topic, kind } = record;
    const owner = cursor.held.get(topic) ?? this.#ownerOf(cursor, topic);
    if (kind === 'gap') {
      const { from = seq, to = seq, reason = 'unknown' } = record.gap ?? {};
      this.packs.damaged(from, to);
      this.options.trouble({ kind: 'home.gap', message: `records ${from} to ${to} were lost (${reason}) before ${this.options.jid} had them` });
    }
    // The home's node is the home's own: purging, deleting or configuring a topic here does not reach it.
    // What came from a home goes to none: others that follow it there have it, or would carry it in a circle.
    const from = homeOf(record);
    if (from !== undefined) return owner.done(seq, this.#isThere(from) ? 'delivered' : 'withheld');
    if ((kind !== 'publish' && kind !== 'retract') || (kind === 'retract' && record.id === undefined)) return owner.done(seq);
    const lane = this.lanes.get(topic) ?? this.#laneOf(topic, cursor);
    // Also behind what was left already and is still on its way to a cursor of its own.
    if (this.isHeld(lane) || lane.left.length > 0 || (lane.behind && lane.moving && !lane.own)) {
      // Left where it is, undone; the log is read again when the topic goes on.
      this.#giveBack(lane, [seq]);
      return;
    }
    const retried = owner.isRetried(seq);
    // What stands for an item that there may be already does not overtake what comes before it.
    const { hole } = owner;
    if (!retried && lane.isOvertaken(record)) return owner.done(seq, 'superseded');
    const stands = record.id !== undefined || this.isLatest(lane);
    if (stands && !retried && hole && hole.from < seq && !this.#overtakes(lane, record.id, seq)) return this.reading.park(owner, seq);
    const entry = entryOf(record, kind, redelivered, retried);
    if (this.#isExpired(lane, entry)) return this.#expiring.add(lane, entry);
    // Where something behind it waits already, that is what tells, when it can go.
    if (lane.queue.length === 0 && lane.flight.size === 0 && isStale(lane, this.options.clock.mono())) lane.overdue = true;
    lane.enqueue(entry);
    this.reading.queued(lane, entry);
    if (lane.queue.length > this.#share(lane)) this.#fallBehind(lane);
    this.wake(lane);
  }

  /** Whether what came from that service is at this home, or another of its group. */
  #isThere(from: string): boolean {
    const { service, jid, served } = this.options;
    return from === service || from === jid || served?.(from) === true;
  }

  /** In the lane `latest` the newest is all that is wanted of an item: it goes now, and the older that wait go no more. */
  #overtakes(lane: Lane, id: string | undefined, seq: number): boolean {
    if (id === undefined || !this.isLatest(lane) || !this.isLiveFirst(lane) || lane.overtaken.size >= OVERTAKEN) return false;
    lane.overtaken.set(id, seq);
    for (const older of lane.queue.filter((entry) => entry.itemId === id && entry.seq < seq && !entry.pack && !entry.retried)) this.drop(lane, older);
    return true;
  }

  /** The newest is all that is wanted: of each item, key or, without either, of all of it. */
  isLatest({ topic }: Lane): boolean {
    return this.options.log.topic(topic)?.settings.lane === 'latest';
  }

  /** Whether what is live goes before a backlog of the topic. What replaces another by more than its id is not told from what waits. */
  isLiveFirst(lane: Lane): boolean {
    return this.isLatest(lane) ? typeof this.options.log.topic(lane.topic)?.settings['key'] !== 'string' : lane.any;
  }

  /** More of the topic is there than was asked for: where its rule or its lane says so, what comes from now on goes before that. */
  async #leap(cursor: Cursor): Promise<void> {
    const lane = this.lanes.get(cursor.filter);
    const { log, limits } = this.options;
    if (!lane || lane.own !== cursor || !this.isLiveFirst(lane)) return;
    const from = log.head + 1;
    if (await cursor.unread(lane.topic, from) < limits.ahead / 2 || !await this.stretches.begin(lane.topic, from).catch(() => false)) return; // a log that takes nothing: in order, so that it may get room
    if (lane.own !== cursor) return;
    lane.begin(from);
    this.reading.leap(cursor, lane.main, from, () => this.isHeld(lane));
    lane.requeue([]);
  }

  /** Records of one topic that may wait here before others that come after them in the log do not wait for them. */
  #share({ rule: { pack } }: Lane): number {
    const { ahead, packAhead } = this.options.limits;
    return pack ? packAhead / 4 : ahead / 4;
  }

  /** What has piled up of the topic is read by a cursor of its own, so that others get through meanwhile. */
  #fallBehind(lane: Lane): void {
    if (lane.behind || lane.own || lane.moving || lane.together || lane.crowded) return;
    lane.behind = true;
    // Asked only once: there are so many cursors and no more.
    lane.crowded = true;
    this.#held.split(lane);
  }

  #giveBack(lane: Lane, seqs: readonly number[]): void {
    const { own, main } = lane;
    if (seqs.length > 0) lane.whole = false;
    if (!own) {
      lane.left.push(...seqs);
      this.#held.split(lane);
      return;
    }
    // The subscription itself hands these out, at once: while the topic waits, they wait here.
    const retried = seqs.filter((seq) => main.isRetried(seq));
    if (this.isHeld(lane)) lane.left.push(...retried);
    else this.reading.again(main, retried);
    this.reading.again(own, seqs.filter((seq) => !retried.includes(seq)));
  }

  /** Packs from before lie across each other, more of them than is read ahead. */
  get #starved(): boolean {
    const lanes = [...this.lanes.values()];
    return lanes.some((lane) => lane.incomplete) && lanes.every((lane) => lane.flight.size === 0 && (lane.queue.length === 0 || lane.incomplete));
  }

  #tail(cursor: Cursor): void {
    const own = this.lanes.get(cursor.filter);
    // What it has left behind is read beside.
    if (cursor.hole) return;
    if (own?.own === cursor) {
      own.behind = false;
      own.crowded = false;
      this.#held.merge(own);
    }
    for (const lane of this.lanes.values()) {
      if (lane.cursor === cursor) lane.endShort();
      // What is on its way to a cursor of its own is yet to be read.
      if (lane.cursor !== cursor || !lane.unformed || lane.moving || lane.left.length > 0) continue;
      lane.whole = true;
      this.wake(lane);
    }
  }

  /** Nothing of it is under way any more: it may go back to where it came from. */
  rejoin(lane: Lane): void {
    this.#held.merge(lane);
  }

  /** The topic must wait: what `which` says of its queue goes back to where it came from. */
  leave(lane: Lane, which: (entry: Entry) => boolean = () => true): void {
    this.#giveBack(lane, this.#unqueue(lane, which).flatMap((entry) => partsOf(entry).map(({ seq }) => seq)));
  }

  /** It fails again and again: what is behind it is read on, and it is not until it comes back. */
  standBack(lane: Lane, entry: Entry): boolean {
    if (!this.takeOut(lane, entry)) return false;
    lane.standing.push({ seqs: partsOf(entry).map(({ seq }) => seq), itemId: entry.itemId });
    this.release(lane);
    return true;
  }

  /** What stood back is read again, and what is behind it after that. */
  comeBack(lane: Lane): void {
    lane.standsUntil = 0;
    lane.overdue = false;
    if (lane.standing.length === 0) return;
    const stood = lane.standing.splice(0).flatMap(({ seqs }) => seqs);
    this.#giveBack(lane, [...stood, ...this.#unqueue(lane, () => true).flatMap((entry) => partsOf(entry).map(({ seq }) => seq))]);
    if (!this.isHeld(lane)) this.release(lane);
  }

  queued(lane: Lane, entries: readonly Entry[]): void {
    const wanted = entries.filter((entry) => entry.retried || entry.pack !== undefined || !lane.isOvertaken({ id: entry.itemId, seq: entry.seq }));
    for (const { seq } of entries.filter((entry) => !wanted.includes(entry))) lane.cursor.done(seq, 'superseded');
    for (const entry of wanted) this.reading.queued(lane, entry);
    lane.requeue(wanted);
  }

  #unqueue(lane: Lane, which: (entry: Entry) => boolean): Entry[] {
    const leaving = lane.queue.filter(which);
    lane.queue = lane.queue.filter((entry) => !which(entry));
    for (const entry of leaving) this.reading.unqueued(lane, entry);
    this.reading.makeRoom();
    return leaving;
  }

  /** It has waited for too long. What somebody asks for is not given up, and what may be at home already, alone or with others, is looked for first. */
  #isExpired(lane: Lane, entry: Entry): boolean {
    return this.#expiring.isOver(lane, entry) && !entry.retried && !entry.pack && !this.packs.covering(lane.topic, entry.seq) && !this.isDoubtful(lane, entry);
  }

  /** What has waited here for too long, and was never sent, goes no more. */
  expire(lane: Lane): void {
    if (lane.rule.expire === Infinity) return;
    const expired = new Set<Entry>();
    for (const entry of lane.queue) {
      if (!this.#expiring.isOver(lane, entry)) break;
      if (this.#isExpired(lane, entry)) expired.add(entry);
    }
    if (expired.size === 0) return;
    lane.unformed = true;
    for (const entry of this.#unqueue(lane, (one) => expired.has(one))) this.#expiring.add(lane, entry);
  }

  /** What waits need not be sent, because another has taken its place; false where it does not wait any more. */
  drop(lane: Lane, entry: Entry): boolean {
    if (!this.takeOut(lane, entry)) return false;
    lane.cursor.done(entry.seq, 'superseded');
    return true;
  }

  /** It does not wait any more; false where it did not. */
  takeOut(lane: Lane, entry: Entry): boolean {
    return this.#unqueue(lane, (one) => one === entry).length > 0;
  }

  /** Another box has said that more is at home: what waits of it need not be sent. What is under way answers for itself. */
  carriedMore(): void {
    for (const lane of this.lanes.values()) for (const { seq } of this.#unqueue(lane, (entry) => !entry.pack && this.#isCarried(entry.topic, entry.seq))) lane.cursor.done(seq);
  }

  /** What stands in a pack is sent with the rest of it: without it that would never be whole. */
  #isCarried(topic: string, seq: number): boolean {
    return this.options.carried.has(seq) && !this.packs.covering(topic, seq);
  }

  /** What came after it may have gone before it, so that it is not sent where it would put itself over a newer one of its item. */
  wasPassed(lane: Lane, entry: Entry): boolean {
    return entry.retried || (this.isLatest(lane) && (lane.trials.get(entry.seq)?.passes ?? 0) > 0);
  }

  /** Whether it may be at home already, so that it has to be looked for before it is sent. */
  isDoubtful(lane: Lane, entry: Entry): boolean {
    if (this.wasPassed(lane, entry)) return !entry.looked;
    // Of what had gone before it in the process before nothing is known but what the home shows.
    if (entry.kind === 'retract' && entry.redelivered && !entry.looked && lane.stretchOf(entry.seq) !== lane.newest) return true;
    return lane.isProbed(entry) || (!entry.looked && this.options.carried.may(entry.seq));
  }

  /** It went before this process began, was taken, and the home has let it go: in a node that keeps only so many it would drive out newer ones. */
  wasThere(lane: Lane, { seq, kind, redelivered, retried, pack }: Entry): boolean {
    return redelivered && !retried && !pack && kind === 'publish' && seq <= lane.stretchOf(seq).through && !this.options.carried.may(seq) && lane.cursor.counted(seq) === undefined;
  }

  /** Up to here records may have gone before this process began. */
  seenTo({ cursor, main }: Lane): number {
    return Math.max(cursor.handedBefore, this.reading.horizonOf(main));
  }

  /** Gives the topic a cursor of its own. */
  apart(lane: Lane): Promise<void> {
    return this.#held.apart(lane);
  }

  /** The home has lost it and all that follows: the topic's own cursor reads that again, in order. */
  sendAgain(lane: Lane, first: number): void {
    const { own } = lane;
    if (!own) return;
    // Before it goes back: it would be read twice.
    this.comeBack(lane);
    const retried = this.#unqueue(lane, ({ seq }) => seq >= first).filter((entry) => entry.retried);
    lane.whole = false;
    // More waits than was counted.
    lane.measured = undefined;
    this.reading.again(lane.main, retried.map(({ seq }) => seq));
    this.reading.rewindTo(own, first);
  }

  /** A later one of its item has got through: whether it is at home or not, it must not come after that. */
  superseded(lane: Lane, entry: Entry): void {
    for (const { seq } of partsOf(entry)) lane.cursor.done(seq, 'superseded');
  }

  /** Nobody answers any more for what is in flight. */
  unanswered(lane: Lane, entry: Entry): void {
    lane.flight.delete(entry);
    if (entry.replaced !== undefined) this.superseded(lane, entry);
    else lane.unknown.push(entry);
  }

  acked(lane: Lane, entry: Entry): void {
    const now = this.options.clock.mono();
    lane.takenAt = now;
    lane.answered += partsOf(entry).length;
    for (const { seq } of partsOf(entry)) lane.cursor.take(seq, this.settling.tag(now));
    this.settling.added();
  }

  /** Whether the home still has what it acknowledged of the topic must be seen first: nothing settles before. */
  doubt(lane: Lane): void {
    lane.readBack = true;
    lane.main.doubtRetries();
    if (!this.#doubtful.has(lane.cursor)) this.#doubtful.set(lane.cursor, this.options.clock.mono());
  }

  /** It has been seen. A server may answer from memory what its disk does not have yet: the time to settle begins anew. */
  seen(lane: Lane): void {
    lane.readBack = false;
    if (!this.#doubtful.has(lane.cursor)) this.#doubtful.set(lane.cursor, this.options.clock.mono());
  }

  /** What it takes along has no more settled than what it leaves. */
  #parted(lane: Lane, own: Cursor): void {
    lane.whole = false;
    const since = this.#doubtful.get(lane.main);
    if (since !== undefined) this.#doubtful.set(own, since);
    if (!lane.behind) return;
    // Its backlog is read when there is room; meanwhile the others have that.
    const kept = new Set(lane.rule.pack ? [] : lane.queue.slice(0, Math.max(2, Math.floor(this.#share(lane) / lane.main.held.size))));
    this.leave(lane, (entry) => !kept.has(entry));
  }

  #settled(tag: number): void {
    const { clock, limits: { settle } } = this.options;
    const now = clock.mono();
    const lanes = [...this.lanes.values()];
    // Also of a cursor that a topic has only just been given.
    for (const lane of lanes) if (lane.readBack && lane.takenAt !== undefined && !this.#doubtful.has(lane.cursor)) this.#doubtful.set(lane.cursor, now);
    for (const [cursor, since] of this.#doubtful) {
      const unseen = lanes.filter((lane) => lane.cursor === cursor && lane.readBack && lane.takenAt !== undefined);
      // A service that does not say what it has of one topic keeps no other from settling.
      if (unseen.length > 0 && now - since > settle) for (const lane of unseen) this.#held.split(lane);
      if (unseen.length > 0) continue;
      this.#doubtful.delete(cursor);
      cursor.retake(this.settling.tag(now));
      for (const lane of lanes) if (lane.cursor === cursor && lane.takenAt !== undefined) lane.takenAt = now;
    }
    for (const main of this.reading.mains) {
      for (const cursor of [main, ...main.held.values()]) if (!this.#doubtful.has(cursor)) cursor.settle(tag);
    }
    for (const lane of lanes) {
      if (this.#doubtful.has(lane.cursor)) continue;
      // What is never answered is over with what took its place: another process would put it over that.
      for (const entry of lane.flight) if (entry.replaced !== undefined && this.settling.tag(entry.replaced) <= tag) this.superseded(lane, entry);
    }
    this.#forgetPacks();
    for (const lane of lanes) {
      if (lane.takenAt !== undefined && !this.#doubtful.has(lane.cursor) && this.settling.tag(lane.takenAt) <= tag) lane.takenAt = undefined;
      this.#held.merge(lane);
      // Until then what had been overtaken may be read once more.
      if (lane.overtaken.size > 0 && this.stretches.of(lane.topic).length === 0) lane.overtaken.clear();
      if (lane.idle && !lane.created) this.lanes.delete(lane.topic);
    }
  }

  #forgetPacks(): void {
    const { rules, jid, trouble } = this.options;
    // Each once, however many topics it has.
    const flushed = new Map<Cursor, Promise<void>>();
    const flush = (cursor: Cursor): Promise<void> => {
      const flushing = flushed.get(cursor) ?? cursor.flush();
      flushed.set(cursor, flushing);
      return flushing;
    };
    for (const topic of new Set([...this.packs.topics, ...this.stretches.topics])) {
      const main = this.reading.mains[rules.findIndex((rule) => rule.matches(topic))];
      const cursor = main?.held.get(topic) ?? main;
      const position = cursor?.position ?? Infinity;
      const written = (): Promise<void> => (cursor ? flush(cursor) : Promise.resolve());
      // Without a rule nobody reads it. What stays there meanwhile is found at the next start.
      Promise.all([this.packs.settled(topic, position, written), this.stretches.settled(topic, position, written)])
        .catch((error: unknown) => trouble({ kind: 'home.read', message: `packs of ${jid} that have settled could not be forgotten: ${reasonOf(error)}` }));
    }
  }

  /** It need not wait any more: what was left in the log is read again, in order. */
  release(lane: Lane): void {
    lane.heldUntil = 0;
    for (const entry of lane.queue) entry.looked = false;
    lane.together = false;
    // What is on its way to a cursor of its own is read from there.
    if (lane.left.length > 0 && !lane.moving) this.reading.again(lane.cursor, lane.left.splice(0));
    this.reading.makeRoom();
  }
}
