// Selected topics of the log → items in a home's pubsub service.
// queued → in flight → acked → settled; the cursor moves only at settled, so nothing is trimmed before.
import type { Trouble } from '../api.ts';
import type { Clock, Timer } from '../clock.ts';
import type { Cursor } from '../log/cursor.ts';
import { LanpostError } from '../errors.ts';
import { matches } from '../log/filter.ts';
import type { Log } from '../log/log.ts';
import type { LogRecord } from '../log/record.ts';
import { serialize, type Element } from '../xmpp/element.ts';
import { StanzaError } from '../xmpp/stanza-error.ts';
import { failureOf, type Failure } from './failure.ts';
import { Lane, type Entry } from './lane.ts';
import { createRequest, itemsRequest, parseItems, publishRequest, retractRequest, type NodeSettings } from './node.ts';
import { putAside } from './poison.ts';
import { arrived, newestByItem, pageOf } from './read-back.ts';
import { recordElement } from './record-element.ts';
import type { HomeSession } from './session.ts';
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
  readonly #settling = new Set<Entry>();
  readonly #window = new SendWindow();
  readonly #closing = new AbortController();
  readonly #timers = new Set<Timer>();
  #cursors: Cursor[] = [];
  #pulls: Promise<void>[] = [];
  #session: HomeSession | undefined;
  #generation = 0;
  #ahead = 0;
  #aheadBytes = 0;
  #room: (() => void)[] = [];
  #checks = 0;
  #serviceUntil = 0;
  #serviceTries = 0;
  /** The lone record in flight when the stream died, and how often. */
  #suspect: { seq: number; times: number } | undefined;
  #settleTimer: Timer | undefined;
  #scheduled = false;
  #answers = 0;

  constructor(options: UplinkOptions) {
    this.#o = options;
  }

  /** Opens its readers; from then on the log keeps what the home does not have. */
  async start(): Promise<void> {
    const { log, jid, filters } = this.#o;
    for (const filter of filters) this.#cursors.push(await log.cursor({ name: cursorName(jid, filter), filter, from: 'start', durable: true }));
    this.#pulls = this.#cursors.map((cursor, i) => this.#pull(cursor, filters.slice(0, i)));
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#makeRoom();
    for (const timer of this.#timers) timer.stop();
    this.#settleTimer?.stop();
    await Promise.all(this.#pulls);
    await Promise.all(this.#cursors.map((cursor) => cursor.close()));
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
    this.#settleSoon();
    this.#schedule();
  }

  /** The connection has gone; what is in flight stays so until the session is resumed or given up. */
  offline(): void {
    this.#session = undefined;
    this.#settleTimer?.stop();
    this.#settleTimer = undefined;
  }

  /** The stream died of something we sent: find out what, one at a time. */
  suspect(): void {
    const inFlight = [...this.#known.values()].filter((entry) => this.#lanes.get(entry.topic)?.flight.has(entry));
    this.#window.narrow();
    const [only] = inFlight;
    if (!only || inFlight.length > 1) return;
    this.#suspect = this.#suspect?.seq === only.seq ? { seq: only.seq, times: this.#suspect.times + 1 } : { seq: only.seq, times: 1 };
  }

  // What was sent on another session may be lost: look, before anything more is sent.
  #begin(): void {
    this.#generation++;
    this.#window.reset();
    this.#checks = 0;
    this.#serviceUntil = 0;
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

  async #pull(cursor: Cursor, earlier: readonly string[]): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        if (this.#ahead >= this.#o.limits.ahead || this.#aheadBytes >= this.#o.limits.aheadBytes || this.#known.size >= this.#o.limits.unsettled) {
          await new Promise<void>((resolve) => { this.#room.push(resolve); });
          continue;
        }
        const deliveries = await cursor.next(64);
        if (deliveries.length === 0) await cursor.wait(signal);
        for (const { record, redelivered } of deliveries) this.#take(cursor, record, redelivered, earlier);
      } catch (error) {
        if (signal.aborted) return;
        this.#o.trouble({ kind: 'home.read', message: `reading for ${this.#o.jid} failed: ${String(error)}` });
        await new Promise<void>((resolve) => { this.#later(1_000, resolve); });
      }
    }
  }

  #take(cursor: Cursor, record: LogRecord, redelivered: boolean, earlier: readonly string[]): void {
    const { seq, topic, kind } = record;
    if (this.#known.has(seq)) return;
    if (earlier.some((filter) => matches(filter, topic))) return cursor.done(seq);
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
    const bytes = (record.payload?.bytes.length ?? 0) + 256;
    const entry: Entry = {
      seq, topic, recordId: record.recordId, kind, itemId: record.id ?? record.recordId, bytes, cursor, stamp: record.stamp, redelivered,
      record, ackedAt: undefined, tries: 0,
    };
    this.#known.set(seq, entry);
    lane.enqueue(entry);
    this.#ahead++;
    this.#aheadBytes += bytes;
    this.#wakeLane(lane);
  }

  #unqueued(entry: Entry): void {
    this.#ahead--;
    this.#aheadBytes -= entry.bytes;
  }

  #queued(lane: Lane, entries: readonly Entry[]): void {
    for (const { bytes } of entries) {
      this.#ahead++;
      this.#aheadBytes += bytes;
    }
    lane.requeue(entries);
  }

  #makeRoom(): void {
    for (const resolve of this.#room.splice(0)) resolve();
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

  #later(ms: number, call: () => void): void {
    const timer = this.#o.clock.after(ms, () => {
      this.#timers.delete(timer);
      call();
    });
    this.#timers.add(timer);
  }

  /** Serves the lanes in turn while the window admits more. */
  #pump(): void {
    const now = this.#o.clock.mono();
    if (!this.#session?.attached || this.#closing.signal.aborted || now < this.#serviceUntil) return;
    for (let served = true; served;) {
      served = false;
      for (const lane of this.#active) {
        const step = this.#step(lane, now);
        if (step === 'full') return;
        if (step === 'idle') this.#active.delete(lane);
        else served = true;
      }
    }
    this.#makeRoom();
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
    this.#unqueued(entry);
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
    if (this.#suspect?.seq === entry.seq && this.#suspect.times >= 2) {
      this.#suspect = undefined;
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
    this.#serviceTries = 0;
    this.#answers++;
    lane.alone = false;
    lane.holds = 0;
    lane.createdAgain = 0;
    lane.reason = undefined;
    if (this.#suspect?.seq === entry.seq) this.#suspect = undefined;
    this.#acked(lane, entry, now);
    if (lane.failure !== undefined && lane.flight.size === 0) this.#recover(lane);
    this.#wakeLane(lane);
  }

  #acked(lane: Lane, entry: Entry, now: number): void {
    entry.record = undefined;
    entry.ackedAt = now;
    lane.acked.add(entry);
    this.#settling.add(entry);
    this.#settleSoon();
  }

  // ── settling ─────────────────────────────────────────────────────────────────────────────────────

  #settleSoon(): void {
    if (this.#settleTimer || this.#settling.size === 0 || !this.#session) return;
    const { settle } = this.#o.limits;
    this.#settleTimer = this.#o.clock.after(Math.min(1_000, Math.max(10, settle / 4)), () => {
      this.#settleTimer = undefined;
      this.#settle();
      this.#settleSoon();
    });
  }

  #settle(): void {
    const due = this.#o.clock.mono() - this.#o.limits.settle;
    for (const entry of this.#settling) {
      const lane = this.#lanes.get(entry.topic);
      if (entry.ackedAt === undefined || entry.ackedAt > due || !lane || lane.readBack) continue;
      lane.acked.delete(entry);
      this.#forget(entry);
      entry.cursor.done(entry.seq);
      if (lane.idle && !lane.created) this.#lanes.delete(lane.topic);
    }
    this.#makeRoom();
  }

  #forget(entry: Entry): void {
    this.#settling.delete(entry);
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
    else if (failure === 'service') return this.#pauseService(reason);
    else if (failure === 'retry') {
      lane.alone = true;
      if (tries >= MAX_TRIES) return this.#hold(lane, reason);
      this.#wait(lane, Math.min(MINUTE, 500 * 2 ** tries));
      return;
    }
    this.#wakeLane(lane);
  }

  #wait(lane: Lane, delay: number): void {
    const until = this.#o.clock.mono() + delay;
    lane.heldUntil = until;
    this.#later(delay, () => {
      // A timer may be a little early, or a later wait may have taken its place.
      if (lane.heldUntil !== until) return;
      lane.heldUntil = 0;
      lane.createdAgain = 0;
      if (lane.overflow !== undefined) this.#release(lane);
      this.#wakeLane(lane);
    });
  }

  /** Its records stay in the log, undone; nothing else waits for it. */
  #hold(lane: Lane, reason: string): void {
    const { trouble, jid } = this.#o;
    const delay = Math.min(60 * MINUTE, 5 * MINUTE * 2 ** lane.holds++);
    lane.reason = reason;
    for (const entry of lane.queue.splice(0)) {
      this.#unqueued(entry);
      this.#known.delete(entry.seq);
      lane.overflow ??= entry.stamp;
    }
    trouble({ kind: 'home.held', message: `${jid}: ${lane.topic} waits ${Math.round(delay / MINUTE)} min: ${reason}` });
    this.#wait(lane, delay);
    this.#makeRoom();
  }

  /** What was left in the log is read again, in order; what is known here is passed over. */
  #release(lane: Lane): void {
    lane.overflow = undefined;
    lane.heldUntil = 0;
    for (const cursor of this.#cursors) if (matches(cursor.filter, lane.topic)) cursor.rewind();
  }

  #pauseService(reason: string): void {
    const { clock, trouble, jid, service } = this.#o;
    const now = clock.mono();
    if (now < this.#serviceUntil) return;
    const delay = Math.min(5 * MINUTE, 5_000 * 2 ** this.#serviceTries++);
    const until = now + delay;
    this.#serviceUntil = until;
    trouble({ kind: 'home.service', message: `${jid}: ${service} is away, next try in ${Math.round(delay / 1000)} s: ${reason}` });
    this.#later(delay, () => {
      if (this.#serviceUntil === until) this.#serviceUntil = 0;
      for (const lane of this.#lanes.values()) this.#active.add(lane);
      this.#schedule();
    });
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
    if (!lane.created) await this.#create(lane);
    const still = (): boolean => generation === this.#generation;
    if (lane.readBack && still()) await this.#readBack(lane, still);
    if (lane.probing && still()) await this.#probe(lane, still);
    // It was gone: publishing would make it anew, but not as it should be.
    if (!lane.created && still()) await this.#create(lane);
  }

  async #create(lane: Lane): Promise<void> {
    const accessModel = this.#o.log.topic(lane.topic)?.settings['accessModel'] === 'open' ? 'open' : 'whitelist';
    for (const maxItems of ['max', '10000', undefined]) {
      try {
        await this.#request(this.#createRequest(lane.topic, { accessModel, maxItems }));
        break;
      } catch (error) {
        if (!(error instanceof StanzaError)) throw error;
        if (error.condition === 'conflict') break; // it is there
        const failure = failureOf(error);
        if (failure === 'service') throw error;
        // Perhaps it was made for us by somebody who may: publishing will tell.
        if (failure === 'hold') break;
        if (maxItems === undefined) throw error;
      }
    }
    lane.created = true;
  }

  #createRequest(topic: string, settings: NodeSettings): Element {
    return createRequest(this.#o.service, topic, settings);
  }

  async #request(iq: Element): Promise<Element> {
    const session = this.#session;
    if (!session) throw new LanpostError('disconnected');
    // Longer than a dead link takes to be noticed, so that it is not mistaken for a dead service.
    return session.iq.request(iq, { timeout: 1.5 * MINUTE });
  }

  async #present(lane: Lane, page: readonly Entry[], newest: ReadonlyMap<string, number>): Promise<Set<Entry>> {
    const ids = [...new Set(page.map((entry) => entry.itemId))];
    let found: Map<string, string | undefined> = new Map();
    try {
      found = parseItems(await this.#request(itemsRequest(this.#o.service, lane.topic, ids)));
    } catch (error) {
      // Prosody and ejabberd leave unknown items out; others may say so, or that there is no such node.
      if (!(error instanceof StanzaError) || error.condition !== 'item-not-found') throw error;
      lane.created = false;
    }
    return new Set(page.filter((entry) => arrived(entry, found, newest)));
  }

  /** After a session that was not resumed: first what may or may not have arrived, then from the newest acked back. */
  async #readBack(lane: Lane, still: () => boolean): Promise<void> {
    const acked = [...lane.acked].toSorted((a, b) => b.seq - a.seq);
    const unknown = lane.unknown.toSorted((a, b) => a.seq - b.seq);
    const newest = newestByItem([...acked, ...unknown]);
    const there = new Set<Entry>();
    for (let at = 0; at < unknown.length;) {
      const page = pageOf(unknown, at);
      for (const entry of await this.#present(lane, page, newest)) there.add(entry);
      if (!still()) return;
      at += page.length;
    }
    // One that did not arrive replaces nothing.
    const standing = newestByItem([...acked, ...there]);
    const lost: Entry[] = [];
    for (let at = 0; at < acked.length;) {
      const page = pageOf(acked, at);
      const present = await this.#present(lane, page, standing);
      if (!still()) return;
      lost.push(...page.filter((entry) => !present.has(entry)));
      if (present.size === page.length) break;
      at += page.length;
    }

    lane.unknown = [];
    lane.readBack = false;
    const now = this.#o.clock.mono();
    for (const entry of there) this.#acked(lane, entry, now);
    // A server may answer from memory what its disk does not have yet: the time to settle begins anew.
    for (const entry of lane.acked) entry.ackedAt = now;
    this.#queued(lane, unknown.filter((entry) => !there.has(entry)));
    if (lost.length > 0) this.#sendAgain(lane, lost);
  }

  /** Acknowledged, and lost by the server: they and what is queued behind them are read from the log again, in order. */
  #sendAgain(lane: Lane, lost: readonly Entry[]): void {
    this.#o.trouble({ kind: 'home.lost', message: `${this.#o.jid}: ${lost.length} acknowledged items of ${lane.topic} were no longer there and are sent again` });
    const queue = lane.queue.splice(0);
    for (const entry of queue) this.#unqueued(entry);
    for (const entry of lost) lane.acked.delete(entry);
    for (const entry of [...lost, ...queue]) {
      this.#forget(entry);
      entry.cursor.again(entry.seq);
    }
    this.#makeRoom();
  }

  /** The first look of a new process: which of the records handed out before it are there already? */
  async #probe(lane: Lane, still: () => boolean): Promise<void> {
    const candidates = lane.queue.filter((entry) => entry.redelivered);
    const page = pageOf(candidates, 0);
    if (page.length === 0) return;
    const present = await this.#present(lane, page, newestByItem(page));
    if (!still()) return;
    // Sent in order: when none of the first is there, none of the later is.
    if (present.size === 0) lane.probing = false;
    const now = this.#o.clock.mono();
    for (const entry of present) {
      if (!lane.queue.includes(entry)) continue;
      lane.queue = lane.queue.filter((other) => other !== entry);
      this.#unqueued(entry);
      this.#acked(lane, entry, now);
    }
    this.#makeRoom();
  }
}
