// Selected topics of the log → items in a home's pubsub service.
// queued → in flight → acked → settled; the cursor moves only at settled, so nothing is trimmed before.
import type { Trouble } from '../api.ts';
import type { Clock } from '../clock.ts';
import type { Cursor } from '../log/cursor.ts';
import { LanpostError } from '../errors.ts';
import type { Log } from '../log/log.ts';
import type { LogRecord } from '../log/record.ts';
import { serialize, type Element } from '../xmpp/element.ts';
import { StanzaError } from '../xmpp/stanza-error.ts';
import { failureOf, type Failure } from './failure.ts';
import { Holding } from './holding.ts';
import { entryOf, Lane, type Entry } from './lane.ts';
import { publishRequest, retractRequest } from './node.ts';
import { createNode, probe, readBack, type NodeCheckParts, type ReadBack } from './node-check.ts';
import { putAside } from './poison.ts';
import { ReadAhead } from './read-ahead.ts';
import { recordElement } from './record-element.ts';
import type { HomeSession } from './session.ts';
import { Settling } from './settling.ts';
import { Suspect } from './suspect.ts';
import { SendWindow } from './window.ts';

export interface UplinkOptions {
  readonly jid: string;
  readonly service: string;
  readonly filters: readonly string[];
  readonly log: Log;
  readonly clock: Clock;
  readonly trouble: (trouble: Trouble) => void;
  readonly limits: UplinkLimits;
}

export interface UplinkLimits {
  /** Acknowledged this long ago on an unbroken session: settled; ms. */
  readonly settle: number;
  /** Bytes of one serialised stanza; more is put aside rather than kill the stream for all. */
  readonly stanza: number;
  /** Records and bytes read ahead of what is in flight. */
  readonly ahead: number;
  readonly aheadBytes: number;
  /** Records acknowledged and not settled, remembered at once. */
  readonly unsettled: number;
}

export const UPLINK_LIMITS: UplinkLimits = { settle: 60_000, stanza: 200_000, ahead: 256, aheadBytes: 1 << 20, unsettled: 32_768 };

const MINUTE = 60_000;
const CHECKS = 8;
const MAX_TRIES = 8;
const ANSWER = 10 * MINUTE;

export function cursorName(jid: string, filter: string): string {
  return `home:${jid} ${filter}`;
}

export class Uplink {
  readonly #o: UplinkOptions;
  readonly #lanes = new Map<string, Lane>();
  /** Lanes that have something to do, in turn. */
  readonly #active = new Set<Lane>();
  readonly #known = new Map<number, Entry>();
  readonly #settling: Settling;
  readonly #reading: ReadAhead;
  readonly #node: NodeCheckParts;
  readonly #window = new SendWindow();
  readonly #suspect = new Suspect();
  readonly #holding: Holding;
  #closed = false;
  #session: HomeSession | undefined;
  #generation = 0;
  #checks = 0;
  #scheduled = false;
  #answers = 0;

  constructor(options: UplinkOptions) {
    this.#o = options;
    const { log, clock, jid, filters, limits, service, trouble } = options;
    this.#settling = new Settling({
      clock, settle: limits.settle, settled: (entry) => this.#settled(entry),
      ready: (entry) => this.#lanes.get(entry.topic)?.readBack === false,
    });
    this.#reading = new ReadAhead({
      log, clock, limits, readers: filters.map((filter) => ({ name: cursorName(jid, filter), filter })),
      full: () => this.#known.size >= limits.unsettled,
      take: (cursor, record, redelivered) => this.#take(cursor, record, redelivered),
      failed: (error) => trouble({ kind: 'home.read', message: `reading for ${jid} failed: ${String(error)}` }),
    });
    this.#holding = new Holding({
      jid, service, clock, trouble, wake: (lane) => this.#goOn(lane),
      wakeAll: () => {
        for (const lane of this.#lanes.values()) this.#active.add(lane);
        this.#schedule();
      },
    });
    this.#node = { log, service, request: (iq) => this.#request(iq) };
  }

  /** Opens its readers; from then on the log keeps what the home does not have. */
  start(): Promise<void> {
    return this.#reading.start();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#holding.close();
    this.#settling.pause();
    await this.#reading.close();
  }

  /** Records not settled, and the oldest one's stamp. */
  async backlog(): Promise<{ readonly queued: number; readonly oldest: LogRecord['stamp'] | undefined }> {
    const names = new Set(this.#o.filters.map((filter) => cursorName(this.#o.jid, filter)));
    let queued = 0;
    for (const info of this.#o.log.cursors()) if (names.has(info.name)) queued += await info.pending();
    let oldest: Entry | undefined;
    for (const entry of this.#known.values()) if (!oldest || entry.seq < oldest.seq) oldest = entry;
    const stamps = [oldest?.stamp, ...[...this.#lanes.values()].map((lane) => lane.overflow)].filter((stamp) => stamp !== undefined);
    return { queued, oldest: stamps.toSorted((a, b) => a.wall - b.wall)[0] };
  }

  /** Topics that wait for somebody, and why. */
  held(): { readonly topic: string; readonly reason: string }[] {
    return [...this.#lanes.values()].filter((lane) => lane.heldUntil > this.#o.clock.mono()).map((lane) => ({ topic: lane.topic, reason: lane.reason ?? 'held' }));
  }

  /** Items the home has acknowledged, ever. */
  get answered(): number {
    return this.#answers;
  }

  /** The session can carry requests; `fresh`: it is not the one that was there before. */
  online(session: HomeSession, fresh: boolean): void {
    this.#session = session;
    if (fresh) this.#begin();
    this.#settling.resume();
    this.#schedule();
  }

  /** The connection has gone; what is in flight stays so until the session is resumed or given up. */
  offline(): void {
    this.#session = undefined;
    this.#settling.pause();
  }

  /** The stream died of something we sent: find out what, one at a time. */
  suspect(): void {
    const inFlight = [...this.#known.values()].filter((entry) => this.#lanes.get(entry.topic)?.flight.has(entry));
    this.#window.narrow();
    this.#suspect.died(inFlight.map((entry) => entry.seq));
  }

  // What was sent on another session may be lost: look, before anything more is sent.
  #begin(): void {
    this.#generation++;
    this.#window.reset();
    this.#checks = 0;
    this.#holding.reset();
    for (const lane of this.#lanes.values()) {
      lane.unknown.push(...lane.flight);
      lane.flight.clear();
      this.#queued(lane, lane.returned.splice(0));
      lane.failure = undefined;
      lane.heldUntil = 0;
      lane.phase = 'new';
      lane.readBack ||= lane.unknown.length > 0 || lane.acked.size > 0;
      if (lane.overflow !== undefined) this.#release(lane);
      this.#active.add(lane);
    }
  }

  // ── reading the log ──────────────────────────────────────────────────────────────────────────────

  #take(cursor: Cursor, record: LogRecord, redelivered: boolean): void {
    const { seq, topic, kind } = record;
    if (this.#known.has(seq)) return;
    if (kind === 'gap') {
      const { from = seq, to = seq, reason = 'unknown' } = record.gap ?? {};
      this.#o.trouble({ kind: 'home.gap', message: `records ${from} to ${to} were lost (${reason}) before ${this.#o.jid} had them` });
    }
    // The home's node is the home's own: purging, deleting or configuring a topic here does not reach it.
    if ((kind !== 'publish' && kind !== 'retract') || (kind === 'retract' && record.id === undefined)) return cursor.done(seq);
    const lane = this.#lanes.get(topic) ?? new Lane(topic);
    this.#lanes.set(topic, lane);
    if (lane.heldUntil > this.#o.clock.mono()) {
      // Left where it is, undone; the log is read again when the topic goes on.
      lane.overflow ??= record.stamp;
      return;
    }
    const entry = entryOf(cursor, record, kind, redelivered);
    this.#known.set(seq, entry);
    lane.enqueue(entry);
    this.#reading.queued(entry);
    this.#wakeLane(lane);
  }

  #queued(lane: Lane, entries: readonly Entry[]): void {
    for (const entry of entries) this.#reading.queued(entry);
    lane.requeue(entries);
  }

  /** Empties the queue of a topic; its records stay in the log, undone. */
  #unqueue(lane: Lane): Entry[] {
    const queue = lane.queue.splice(0);
    for (const entry of queue) {
      this.#reading.unqueued(entry);
      this.#forget(entry);
    }
    return queue;
  }

  // ── sending ──────────────────────────────────────────────────────────────────────────────────────

  #wakeLane(lane: Lane): void {
    this.#active.add(lane);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  /** Serves the lanes in turn while the window admits more. */
  #pump(): void {
    const now = this.#o.clock.mono();
    if (!this.#session?.attached || this.#closed || this.#holding.serviceAway) return;
    for (let served = true; served;) {
      served = false;
      for (const lane of this.#active) {
        const step = this.#step(lane, now);
        if (step === 'full') return;
        if (step === 'idle') this.#active.delete(lane);
        else served = true;
      }
    }
    this.#reading.makeRoom();
  }

  #step(lane: Lane, now: number): 'sent' | 'idle' | 'full' {
    if (lane.failure !== undefined || now < lane.heldUntil || lane.phase === 'checking') return 'idle';
    const [entry] = lane.queue;
    if (lane.phase === 'new') {
      if (!entry && !lane.readBack) return 'idle';
      return this.#check(lane);
    }
    if (!entry || (lane.alone && lane.flight.size > 0)) return 'idle';
    if (entry.redelivered && lane.probing) return this.#check(lane);
    if (!this.#window.admits(entry.bytes)) return 'full';
    lane.queue.shift();
    this.#reading.unqueued(entry);
    this.#send(lane, entry);
    return 'sent';
  }

  #send(lane: Lane, entry: Entry): void {
    const { record } = entry;
    if (!record || !this.#session) return;
    const stanza = this.#stanza(entry, record);
    if (stanza === undefined) {
      void this.#poison(lane, entry, `larger than ${this.#o.limits.stanza} bytes as a stanza`);
      return;
    }
    if (this.#suspect.guilty(entry.seq)) {
      this.#suspect.clear(entry.seq);
      void this.#poison(lane, entry, 'the server ended the stream twice when this alone was in flight');
      return;
    }
    lane.flight.add(entry);
    this.#window.sent(entry.bytes);
    const sentAt = this.#o.clock.mono();
    const generation = this.#generation;
    this.#session.iq.request(stanza, { timeout: ANSWER }).then(
      () => this.#answered(lane, entry, generation, sentAt),
      (error: unknown) => {
        // It is gone already: just what was wanted.
        const gone = entry.kind === 'retract' && error instanceof StanzaError && error.condition === 'item-not-found';
        if (gone) this.#answered(lane, entry, generation, sentAt);
        else this.#failed(lane, entry, generation, error);
      },
    );
  }

  #stanza(entry: Entry, record: LogRecord): Element | undefined {
    const { service, limits } = this.#o;
    if (entry.kind === 'retract') return retractRequest(service, record.topic, entry.itemId);
    const stanza = publishRequest(service, record.topic, entry.itemId, recordElement(record));
    // Escaping makes at most six bytes of one; only then is it worth writing out to see.
    if (entry.bytes * 6 > limits.stanza && Buffer.byteLength(serialize(stanza)) > limits.stanza) return undefined;
    return stanza;
  }

  #answered(lane: Lane, entry: Entry, generation: number, sentAt: number): void {
    if (generation !== this.#generation || !lane.flight.delete(entry)) return;
    const now = this.#o.clock.mono();
    this.#window.left(entry.bytes, now - sentAt);
    this.#holding.answered();
    this.#answers++;
    lane.alone = false;
    lane.holds = 0;
    lane.createdAgain = 0;
    lane.reason = undefined;
    this.#suspect.clear(entry.seq);
    this.#acked(lane, entry, now);
    if (lane.failure !== undefined && lane.flight.size === 0) this.#recover(lane);
    this.#wakeLane(lane);
  }

  #acked(lane: Lane, entry: Entry, now: number): void {
    entry.record = undefined;
    entry.ackedAt = now;
    lane.acked.add(entry);
    this.#settling.add(entry);
  }

  #settled(entry: Entry): void {
    const lane = this.#lanes.get(entry.topic);
    lane?.acked.delete(entry);
    this.#known.delete(entry.seq);
    entry.cursor.done(entry.seq);
    if (lane?.idle && !lane.created) this.#lanes.delete(lane.topic);
    this.#reading.makeRoom();
  }

  #forget(entry: Entry): void {
    this.#settling.remove(entry);
    this.#known.delete(entry.seq);
  }

  // ── failures ─────────────────────────────────────────────────────────────────────────────────────

  #failed(lane: Lane, entry: Entry, generation: number, error: unknown): void {
    if (generation !== this.#generation || !lane.flight.delete(entry)) return;
    this.#window.left(entry.bytes);
    const failure = failureOf(error);
    const reason = error instanceof Error ? error.message : String(error);
    if (failure === 'unknown') lane.unknown.push(entry);
    else if (failure === 'poison') void this.#poison(lane, entry, reason);
    else {
      entry.tries++;
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
    if (failure === undefined) return this.#wakeLane(lane);
    lane.failure = undefined;
    const worst = Math.max(0, ...lane.returned.map((entry) => entry.tries));
    this.#queued(lane, lane.returned.splice(0));
    this.#act(lane, failure, worst);
  }

  #act(lane: Lane, failure: Failure, tries: number): void {
    const reason = lane.reason ?? failure;
    if (failure === 'create') {
      // The node has gone, and with it what was acknowledged.
      lane.created = false;
      lane.phase = 'new';
      lane.readBack ||= lane.acked.size > 0;
      if (lane.createdAgain++ >= 2) return this.#hold(lane, `the node is not there and cannot be made: ${reason}`);
    } else if (failure === 'hold') return this.#hold(lane, reason);
    else if (failure === 'service') return this.#holding.pauseService(reason);
    else if (failure === 'retry') {
      lane.alone = true;
      if (tries >= MAX_TRIES) return this.#hold(lane, reason);
      this.#holding.wait(lane, Math.min(MINUTE, 500 * 2 ** tries));
      return;
    }
    this.#wakeLane(lane);
  }

  #goOn(lane: Lane): void {
    lane.createdAgain = 0;
    if (lane.overflow !== undefined) this.#release(lane);
    this.#wakeLane(lane);
  }

  /** Its records stay in the log, undone; nothing else waits for it. */
  #hold(lane: Lane, reason: string): void {
    lane.overflow ??= this.#unqueue(lane)[0]?.stamp;
    this.#holding.hold(lane, reason);
    this.#reading.makeRoom();
  }

  /** What was left in the log is read again, in order; what is known here is passed over. */
  #release(lane: Lane): void {
    lane.overflow = undefined;
    lane.heldUntil = 0;
    this.#reading.rewind(lane.topic);
  }

  async #poison(lane: Lane, entry: Entry, reason: string): Promise<void> {
    const { log, jid, clock, trouble } = this.#o;
    const { record } = entry;
    try {
      if (!record || !await putAside(log.registry, jid, record, entry.itemId, reason, clock.wall())) {
        if (this.#known.get(entry.seq) !== entry) return;
        this.#queued(lane, [entry]);
        return this.#hold(lane, `too much had to be put aside already; now also: ${reason}`);
      }
      trouble({ kind: 'home.poison', message: `${jid} will not take ${entry.recordId} of ${lane.topic}; it was put aside: ${reason}` });
      this.#forget(entry);
      entry.cursor.done(entry.seq);
    } catch (error) {
      // The log takes nothing now; it is tried again like any other.
      this.#queued(lane, [entry]);
      lane.reason = String(error);
      this.#act(lane, 'retry', 3);
    }
    this.#wakeLane(lane);
  }

  // ── the node, and reading back ───────────────────────────────────────────────────────────────────

  #check(lane: Lane): 'sent' | 'full' {
    if (this.#checks >= CHECKS) return 'full';
    this.#checks++;
    lane.phase = 'checking';
    const generation = this.#generation;
    this.#checked(lane, generation).then(
      () => {
        if (generation === this.#generation) lane.phase = 'ready';
        return undefined;
      },
      (error: unknown) => {
        if (generation !== this.#generation) return undefined;
        lane.phase = 'new';
        const failure = failureOf(error);
        lane.reason = error instanceof Error ? error.message : String(error);
        if (failure !== 'unknown') this.#act(lane, failure === 'poison' || failure === 'create' ? 'hold' : failure, 3);
        return undefined;
      },
    ).finally(() => {
      if (generation === this.#generation) this.#checks--;
      this.#wakeLane(lane);
    });
    return 'sent';
  }

  async #checked(lane: Lane, generation: number): Promise<void> {
    const still = (): boolean => generation === this.#generation;
    if (!lane.created) await createNode(lane, this.#node);
    if (lane.readBack && still()) {
      const found = await readBack(lane, this.#node);
      if (still()) this.#apply(lane, found);
    }
    if (lane.probing && still()) {
      const present = await probe(lane, this.#node);
      if (still()) this.#found(lane, present);
    }
    // It was gone: publishing would make it anew, but not as it should be.
    if (!lane.created && still()) await createNode(lane, this.#node);
  }

  async #request(iq: Element): Promise<Element> {
    const session = this.#session;
    if (!session) throw new LanpostError('disconnected');
    // Longer than a dead link takes to be noticed, so that it is not mistaken for a dead service.
    return session.iq.request(iq, { timeout: 1.5 * MINUTE });
  }

  #apply(lane: Lane, { arrived, missing, lost }: ReadBack): void {
    lane.unknown = [];
    lane.readBack = false;
    const now = this.#o.clock.mono();
    for (const entry of arrived) this.#acked(lane, entry, now);
    // A server may answer from memory what its disk does not have yet: the time to settle begins anew.
    for (const entry of lane.acked) entry.ackedAt = now;
    this.#queued(lane, missing);
    if (lost.length > 0) this.#sendAgain(lane, lost);
  }

  /** Acknowledged, and lost by the server: they and what is queued behind them are read from the log again, in order. */
  #sendAgain(lane: Lane, lost: readonly Entry[]): void {
    this.#o.trouble({ kind: 'home.lost', message: `${this.#o.jid}: ${lost.length} acknowledged items of ${lane.topic} were no longer there and are sent again` });
    const queue = this.#unqueue(lane);
    for (const entry of lost) {
      lane.acked.delete(entry);
      this.#forget(entry);
    }
    for (const entry of [...lost, ...queue]) entry.cursor.again(entry.seq);
    this.#reading.makeRoom();
  }

  #found(lane: Lane, present: ReadonlySet<Entry>): void {
    // Sent in order: when none of the first is there, none of the later is.
    if (present.size === 0) lane.probing = false;
    const now = this.#o.clock.mono();
    for (const entry of lane.queue.filter((queued) => present.has(queued))) {
      this.#reading.unqueued(entry);
      this.#acked(lane, entry, now);
    }
    lane.queue = lane.queue.filter((entry) => !present.has(entry));
    this.#reading.makeRoom();
  }
}
