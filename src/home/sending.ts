// Lanes are served in turn, as far as the window admits.
import type { Timer } from '../clock.ts';
import { isLegal, serialize, type Element } from '../xmpp/element.ts';
import { StanzaError } from '../xmpp/stanza-error.ts';
import type { Checking } from './checking.ts';
import { Drain } from './drain.ts';
import type { Failures } from './failures.ts';
import { Flow } from './flow.ts';
import { partsOf, type Entry, type Lane } from './lane.ts';
import { publishRequest, retractRequest } from './node.ts';
import { FEWEST } from './node-room.ts';
import { packed, packElement } from './pack-element.ts';
import { Packing } from './packing.ts';
import { recordElement, unsayableIn } from './record-element.ts';
import { Suspect } from './suspect.ts';
import { Turns } from './turns.ts';
import { SendWindow } from './window.ts';
import type { Work } from './work.ts';

const ANSWER = 600_000;
/** Of the id that a request is given when it is sent, and its attribute, at most. */
const ID_BYTES = 32;

export interface SendingParts {
  readonly work: Work;
  readonly checking: Checking;
  readonly failures: Failures;
}

export class Sending {
  readonly #parts: SendingParts;
  readonly #turns = new Turns();
  readonly #window = new SendWindow();
  readonly #suspect = new Suspect();
  #scheduled = false;
  #overdue: Timer | undefined;
  #answers = 0;

  readonly packing: Packing;
  readonly flow: Flow;
  readonly drain: Drain;

  constructor(parts: SendingParts) {
    this.#parts = parts;
    const { clock } = parts.work.options;
    this.flow = new Flow(clock);
    this.drain = new Drain(clock);
    this.packing = new Packing({ work: parts.work, wake: (lane) => this.wake(lane), bytes: () => this.packBytes });
  }

  /** Of one item made of many records, as fast as the home takes them. */
  get packBytes(): number {
    return this.#window.packBytes;
  }

  /** Records the home has acknowledged, ever. */
  get answered(): number {
    return this.#answers;
  }

  close(): void {
    this.#overdue?.stop();
  }

  wake(lane: Lane): void {
    this.#turns.add(lane);
    this.schedule();
  }

  wakeAll(): void {
    for (const lane of this.#parts.work.lanes.values()) this.#turns.add(lane);
    this.schedule();
  }

  schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  /**
   * There is a session; before, nothing could go. One that was taken up again has what was asked for in it; but a server may lose the
   * answers that it had ready just then: ejabberd does, of what is still on its way between two of its processes.
   */
  online(fresh: boolean): void {
    if (!fresh) this.#watch([...this.#parts.work.lanes.values()].flatMap((lane) => [...lane.flight].map((entry) => ({ lane, entry }))));
    this.flow.begin();
    this.drain.begin(this.#answers);
    this.schedule();
  }

  #watch(asked: readonly { readonly lane: Lane; readonly entry: Entry }[]): void {
    this.#overdue?.stop();
    if (asked.length === 0) return;
    const { work } = this.#parts;
    const { clock, limits } = work.options;
    const { generation } = work;
    this.#overdue = clock.after(limits.overdue, () => {
      // While there is no connection nobody can have answered: the next one begins anew.
      if (generation !== work.generation || !work.session?.attached) return;
      // It is being looked what the home has: they are looked for after that.
      this.#watch(asked.filter(({ lane, entry }) => lane.phase === 'checking' && lane.flight.has(entry)));
      for (const { lane, entry } of asked) {
        if (lane.phase === 'checking' || !lane.flight.has(entry)) continue;
        this.#window.left(entry.bytes);
        entry.looked = false;
        work.unanswered(lane, entry);
        lane.readBack = true;
        lane.phase = 'new';
        this.wake(lane);
      }
    });
  }

  /** Another session: nothing is in flight on it. */
  begin(): void {
    this.#window.reset();
  }

  /** The stream died of something we sent: find out what, one at a time. */
  suspect(reason: string): void {
    const { work } = this.#parts;
    const inFlight = [...work.lanes.values()].flatMap((lane) => [...lane.flight]);
    this.#window.narrow();
    this.#suspect.died(inFlight.map((entry) => entry.seq), reason);
  }

  #pump(): void {
    const { work, failures } = this.#parts;
    const now = work.options.clock.mono();
    if (!work.session?.attached || work.closed || failures.serviceAway) return;
    if (this.#window.narrowed) this.#suspects(now);
    this.#turns.serve((lane) => this.#step(lane, now));
    work.reading.makeRoom();
  }

  /** What was in flight when the stream died goes first, alone: between others that come all the time it would never be known for what it is. */
  #suspects(now: number): void {
    const { open } = this.#suspect;
    const lanes = [...this.#parts.work.lanes.values()];
    const underWay = new Set(lanes.flatMap(({ queue, flight, unknown, returned }) => [...queue, ...flight, ...unknown, ...returned]).map(({ seq }) => seq));
    // The home had it after all, or its topic waits.
    for (const seq of open) if (!underWay.has(seq)) this.#suspect.clear(seq);
    if (open.size === 0) return this.#window.widen();
    for (const lane of lanes) if (lane.queue.some(({ seq }) => open.has(seq)) && this.#step(lane, now) === 'full') return;
  }

  #step(lane: Lane, now: number): 'sent' | 'idle' | 'later' | 'full' {
    if (lane.failure !== undefined || now < lane.heldUntil || lane.phase === 'checking') return 'idle';
    this.#parts.work.expire(lane);
    const ready = this.packing.prepare(lane);
    const [entry] = lane.queue;
    if (!entry) lane.endShort();
    if (lane.phase === 'new') {
      if (!entry && !lane.readBack) return 'idle';
      return this.#parts.checking.check(lane) ? 'idle' : 'later';
    }
    if (!entry || !ready || (lane.alone && lane.flight.size > 0)) return 'idle';
    if (lane.overdue) {
      this.#parts.work.comeBack(lane);
      return 'idle';
    }
    if (this.#parts.work.isDoubtful(lane, entry) || this.#parts.checking.room.isDue(lane)) return this.#parts.checking.check(lane) ? 'idle' : 'later';
    if (lane.flight.size >= (lane.room ?? FEWEST)) return lane.room !== undefined || this.#parts.checking.check(lane) ? 'idle' : 'later';
    if (!this.#window.admits(entry.bytes)) return 'full';
    const { budget } = this.#parts.work.options;
    const stanza = this.#stanza(lane, entry);
    const bytes = budget === undefined ? 0 : bytesOf(stanza);
    if (budget?.admits(bytes) === false) return 'full';
    lane.queue.shift();
    this.#parts.work.reading.unqueued(lane, entry);
    this.#send(lane, entry, stanza, bytes);
    return 'sent';
  }

  /** `bytes`: what it takes of the budget, where there is one. */
  #send(lane: Lane, entry: Entry, stanza: Element | string, bytes: number): void {
    const { work, failures } = this.#parts;
    if (!work.session) return;
    if (typeof stanza === 'string') {
      failures.refused(lane, entry, stanza);
      return;
    }
    const guilt = this.#suspect.guilt(entry.seq);
    if (guilt !== undefined) {
      this.#suspect.clear(entry.seq);
      failures.refused(lane, entry, `${guilt}, twice when this alone was in flight`);
      return;
    }
    lane.flight.add(entry);
    if (!entry.pack) lane.sentAlone(entry.seq);
    this.#window.sent(entry.bytes);
    work.options.budget?.spend(bytes);
    if (entry.kind === 'retract') work.options.retracting?.(work.pep.serviceOf(lane.topic), lane.node, entry.itemId, true);
    const sentAt = work.options.clock.mono();
    const { generation } = work;
    // XEP-0198 §5 leaves no choice whether what a resumed session lacks goes again: it is paid for all the same.
    work.session.iq.request(stanza, { timeout: ANSWER, again: () => work.options.budget?.spend(bytes) }).then(
      () => this.#answered(lane, entry, generation, sentAt),
      (error: unknown) => {
        if (entry.kind === 'retract' && error instanceof StanzaError) work.options.retracting?.(work.pep.serviceOf(lane.topic), lane.node, entry.itemId, false);
        // It is gone already: just what was wanted.
        const gone = entry.kind === 'retract' && error instanceof StanzaError && error.condition === 'item-not-found';
        if (gone) this.#answered(lane, entry, generation, sentAt);
        else this.#failed(lane, entry, generation, error);
      },
    );
  }

  /** The request, or why there can be none. */
  #stanza(lane: Lane, entry: Entry): Element | string {
    const { node } = lane;
    const { record } = entry;
    const { pep, options: { limits } } = this.#parts.work;
    const service = pep.serviceOf(lane.topic);
    for (const text of [entry.itemId, node, record.topic, unsayableIn(record) ?? '']) if (!isLegal(text)) return `${JSON.stringify(text)} cannot stand in XML`;
    if (entry.kind === 'retract') return retractRequest(service, node, entry.itemId);
    const { pack } = entry;
    const { work } = this.#parts;
    const element = pack ? packElement(entry.itemId, pack.parts.map((part) => part.packed ?? packed(part.record, work.placeOf(lane, part.record))))
      : recordElement(record, work.placeOf(lane, record));
    const stanza = publishRequest(service, node, entry.itemId, element, lane.options);
    // Escaping makes at most six bytes of one; only then is it worth writing out to see.
    if (!pack && entry.bytes * 6 > limits.stanza && Buffer.byteLength(serialize(stanza)) > limits.stanza) return `larger than ${limits.stanza} bytes as a stanza`;
    return stanza;
  }

  #answered(lane: Lane, entry: Entry, generation: number, sentAt: number): void {
    const { work, failures } = this.#parts;
    if (generation !== work.generation || !lane.flight.delete(entry)) return;
    this.#window.left(entry.bytes, work.options.clock.mono() - sentAt);
    this.#answers += partsOf(entry).length;
    this.flow.add(partsOf(entry).length, entry.bytes);
    this.#suspect.clear(entry.seq);
    work.acked(lane, entry);
    failures.answered(lane, entry);
    this.wake(lane);
    if (this.#window.items === 0 && work.reading.empty) this.drain.begin(this.#answers);
    work.options.moved?.();
  }

  #failed(lane: Lane, entry: Entry, generation: number, error: unknown): void {
    const { work, failures } = this.#parts;
    if (generation !== work.generation || !lane.flight.delete(entry)) return;
    this.#window.left(entry.bytes);
    entry.looked = false;
    failures.failed(lane, entry, error);
  }
}

/** On the wire, once. */
function bytesOf(stanza: Element | string): number {
  return typeof stanza === 'string' ? 0 : Buffer.byteLength(serialize(stanza)) + ID_BYTES;
}
