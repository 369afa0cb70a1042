// All streams to one peer, and which of them is spoken on. There should be one; two when both sides
// dialled at once, or when one side has not noticed yet that the older is dead.
import type { Clock } from '../../clock.ts';
import { LanpostError } from '../../errors.ts';
import type { ProvenPeer } from '../streams-port.ts';
import { goesFirst, type KeyedName } from './precedence.ts';
import type { Session } from './session.ts';
import type { Sent } from './sending.ts';
import type { LinkStream } from './stream.ts';

export interface LineInit {
  readonly name: string;
  readonly clock: Clock;
  /** This box's key and name, to settle which of two streams stays. */
  readonly self: () => KeyedName;
  /** Whether it waits to be resumed. */
  readonly isWaiting: (session: Session) => boolean;
  /** It need not wait any longer. */
  readonly giveUp: (session: Session) => void;
  /** Gets a stream when there is none. */
  readonly reach: () => Promise<LinkStream>;
  readonly on: {
    opened(peer: ProvenPeer): void;
    closed(peer: ProvenPeer): void;
    /** What was asked over the last stream will not be answered. */
    unanswered(): void;
    changed(): void;
  };
}

interface Conditions {
  /** No log holds it: it is kept until it is confirmed. */
  readonly kept?: boolean;
  /** The key it is for. */
  readonly only?: string | undefined;
  /** Asked when it goes out, however long it waited for that: whether it still may. */
  readonly still?: (() => boolean) | undefined;
}

interface Queued extends Conditions {
  readonly text: string;
  readonly resolve: (sent: Sent) => void;
  readonly reject: (error: unknown) => void;
}

/** Stanzas that wait for a stream or for room in it. */
const QUEUE = 4_096;
const QUEUE_BYTES = 8 << 20;
/** How long a stream that is given up may take to have everything confirmed. */
const SETTLE = 2_000;
/** How long the older of two streams may take to show that it lives. */
const PROBE = 3_000;
/** COMPAT(libpurple 2.14): of two streams opened within this time it keeps the one that came in to it. */
const CROSSING = 2_000;
/** When a broken stream is dialled anew: the box that goes first leads, so that both seldom do it at once; then again. */
const REOPEN = { first: 250, second: 1_000, again: 2_000 };
const STREAMS = 3;
const LEFT = 8;
const ROUNDS = 4;

export class Line {
  readonly name: string;
  readonly #init: LineInit;
  readonly #streams = new Map<LinkStream, number>();
  #active: LinkStream | undefined;
  #dialling: Promise<LinkStream> | undefined;
  #switching: Promise<void> | undefined;
  #announced: ProvenPeer | undefined;
  /** The session of a stream that broke, as long as it may be resumed: to its users it is still there. */
  #broken: Session | undefined;
  readonly #mended: (() => void)[] = [];
  readonly #queue: Queued[] = [];
  #queuedBytes = 0;
  #pumping = false;

  constructor(init: LineInit) {
    this.#init = init;
    this.name = init.name;
  }

  get active(): LinkStream | undefined {
    return this.#active?.ready ? this.#active : undefined;
  }

  /** What can be spoken on, in use or not. */
  get standby(): LinkStream | undefined {
    return this.active ?? this.#newest();
  }

  /** The peer whose key the stream in use has proven. */
  get proven(): ProvenPeer | undefined {
    return this.#announced;
  }

  get idle(): boolean {
    return this.#streams.size === 0 && !this.#dialling && !this.#broken && this.#queue.length === 0;
  }

  get broken(): boolean {
    return this.#broken !== undefined;
  }

  /** In the order of the calls. Rejects when no stream can be had. */
  send(text: string, conditions: Conditions = {}): Sent | Promise<Sent> {
    const stream = this.active;
    // With another stream there is perhaps something that must go first.
    if (stream?.writable && this.#streams.size === 1 && this.#queue.length === 0 && !this.#switching) return this.#give(stream, { text, ...conditions });
    if (this.#queue.length >= QUEUE || this.#queuedBytes + text.length > QUEUE_BYTES) {
      throw new LanpostError('busy', `Too much is waiting to be sent to ${this.name}.`);
    }
    this.#queuedBytes += text.length;
    const sent = new Promise<Sent>((resolve, reject) => { this.#queue.push({ text, ...conditions, resolve, reject }); });
    if (!this.#pumping) void this.#pump();
    return sent;
  }

  /** The stream in use, opened when there is none. */
  async stream(): Promise<LinkStream> {
    for (let round = 0; round < ROUNDS; round += 1) {
      do {
        while (this.#switching) await this.#switching;
        // What was lost with a stream goes again first.
        for (const { leaving } of this.#streams.keys()) await leaving;
      } while (this.#switching);
      const opened = this.active ?? await this.#dial();
      // When both sides dialled, the one just opened may have given way already.
      const stream = this.active ?? opened;
      if (stream.ready) return stream;
    }
    throw new LanpostError('disconnected', `Streams to ${this.name} do not last.`);
  }

  /** A stream has become ready. One that came in while we are dialling stands by: the dial decides. */
  add(stream: LinkStream): void {
    this.#streams.set(stream, this.#init.clock.mono());
    const old = this.active;
    // It goes on where the other broke, whatever else is being tried.
    if (this.#broken && stream.session === this.#broken) {
      this.#use(stream);
      return this.#bound();
    }
    if (stream.side === 'accepted' && (this.#dialling || (old && this.#crossed(old, stream)))) return this.#bound();
    if (!old) this.#use(stream);
    else this.#choose(old, stream);
    if (stream.side === 'dialled') {
      for (const other of this.#streams.keys()) if (other !== stream && other !== old && this.#twins(stream, other)) this.#choose(stream, other);
    }
    this.#bound();
  }

  remove(stream: LinkStream): void {
    if (!this.#streams.delete(stream)) return;
    const lost = stream.unconfirmed > 0;
    const { session } = stream;
    const wasUsed = this.#active === stream;
    if (wasUsed) this.#active = undefined;
    const next = this.active ?? (this.#dialling ? undefined : this.#newest());
    if (session && this.#init.isWaiting(session)) {
      if (wasUsed && !next) return this.#mend(session);
      this.#init.giveUp(session);
    }
    // What was lost with it must be sent again: to the readers that is an end and a new beginning.
    if (lost && !this.#announced) this.#fail(new LanpostError('disconnected', `The stream to ${this.name} was lost.`));
    if (lost && next) this.#renew();
    else if (next) this.#use(next);
    else this.#announce(undefined);
    this.#init.on.changed();
  }

  /** It was not resumed in time, or cannot be. */
  gaveUp(session: Session): void {
    if (this.#broken !== session) return;
    this.#whole();
    this.#announce(undefined);
    this.#init.on.unanswered();
    this.#init.on.changed();
  }

  /** Whatever still waits for a stream will not get one. */
  abandon(error: Error): void {
    this.#fail(error);
  }

  #dial(): Promise<LinkStream> {
    this.#dialling ??= this.#init.reach().finally(() => {
      this.#dialling = undefined;
      const waiting = this.active || this.#switching ? undefined : this.#newest();
      if (waiting) this.#use(waiting);
    }).catch((error: unknown) => {
      // The dial failed, but the peer came to us meanwhile.
      if (this.active) return this.active;
      throw error;
    });
    return this.#dialling;
  }

  async #pump(): Promise<void> {
    this.#pumping = true;
    try {
      while (this.#queue.length > 0) {
        // What is given up must not be sent before what was sent earlier has been settled.
        if (this.#broken && !this.active) {
          await new Promise<void>(resolve => { this.#mended.push(resolve); });
          continue;
        }
        const stream = await this.stream();
        if (!stream.writable) await stream.drained();
        if (!stream.ready || !stream.writable || this.#switching) continue;
        const next = this.#queue.shift();
        if (!next) break;
        this.#queuedBytes -= next.text.length;
        try {
          next.resolve(this.#give(stream, next));
        } catch (error) {
          next.reject(error);
        }
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#pumping = false;
    }
  }

  #give(stream: LinkStream, { text, kept = false, only, still }: Conditions & { readonly text: string }): Sent {
    if (only !== undefined && stream.fingerprint !== only) {
      throw new LanpostError('forbidden', `${this.name} is not who this was meant for: it has ${stream.fingerprint === undefined ? 'no key' : 'another key'} now`);
    }
    if (still?.() === false) throw new LanpostError('forbidden', `what waited to be sent to ${this.name} may not go there any more`);
    return stream.send(text, kept, still);
  }

  #fail(error: unknown): void {
    this.#queuedBytes = 0;
    for (const { reject } of this.#queue.splice(0)) reject(error);
  }

  /** Calls until another stream goes on with the session, or it is over. */
  #mend(session: Session): void {
    this.#broken = session;
    this.#init.on.changed();
    const { clock, self } = this.#init;
    const again = (): void => redial(REOPEN.again);
    const redial = (ms: number): void => void clock.after(ms, () => {
      // Why it failed is told to whoever waits for the stream.
      if (this.#broken === session) this.#dial().then(again, again);
    });
    redial(goesFirst(self(), session) ? REOPEN.first : REOPEN.second);
  }

  #whole(): void {
    this.#broken = undefined;
    for (const go of this.#mended.splice(0)) go();
  }

  #use(stream: LinkStream): void {
    const broken = this.#broken;
    if (broken) {
      this.#whole();
      const resumed = stream.session === broken;
      if (!resumed) this.#init.giveUp(broken);
      if (!resumed) this.#init.on.unanswered();
      // What was lost must be sent again: to the readers that is an end and a new beginning.
      if (!resumed || stream.lostBefore > 0) return this.#renew();
    }
    this.#active = stream;
    const { fingerprint } = stream;
    this.#announce(fingerprint === undefined ? undefined : { name: this.name, fingerprint });
    this.#init.on.changed();
  }

  /** The next stream begins when all who lost something know it: what they have in hand must not overtake that. */
  #renew(): void {
    this.#active = undefined;
    this.#announce(undefined);
    this.#hold(new Promise<void>(resolve => { setImmediate(resolve); }), () => {
      this.#fail(new LanpostError('disconnected', `The stream to ${this.name} was lost.`));
      const next = this.active ?? this.#newest();
      if (next) this.#use(next);
    });
  }

  /** Nothing is sent until then; afterwards `go`, unless it is held for another reason meanwhile. */
  #hold<T>(until: Promise<T>, go: (outcome: T) => void): void {
    const wait = async (): Promise<void> => {
      const outcome = await until;
      if (this.#switching !== held) return;
      this.#switching = undefined;
      go(outcome);
    };
    const held = wait();
    this.#switching = held;
  }

  #announce(peer: ProvenPeer | undefined): void {
    const before = this.#announced;
    if (before?.fingerprint === peer?.fingerprint) return;
    this.#announced = peer;
    if (before) {
      // What was lost is sent again by whoever sent it; what still waits here must not overtake that.
      this.#fail(new LanpostError('disconnected', `The stream to ${this.name} was lost.`));
      this.#init.on.closed(before);
    }
    if (peer) this.#init.on.opened(peer);
  }

  /** Two ready streams: one of them stays, and both sides must come to the same answer. */
  #choose(old: LinkStream, young: LinkStream): void {
    if (!this.#twins(old, young)) return this.#use(young);
    if (this.#winner(old, young) === young) this.#replace(old, young);
    else void this.#keep(old, young);
  }

  /** What is unconfirmed on the old one, and on those before it, comes first, so that nothing overtakes it. */
  #replace(old: LinkStream, young: LinkStream): void {
    this.#active = young;
    const before = [...this.#streams.keys()].filter(one => one === old || (one !== young && one.unconfirmed > 0 && this.#twins(one, young)));
    const settling = before.map(async one => ({ one, settled: await one.settled(SETTLE) }));
    this.#hold(Promise.all(settling), outcomes => {
      // What they have not confirmed by now must be sent again, and before anything newer: `remove` sees to it.
      const dead = outcomes.filter(({ one, settled }) => !settled && this.#streams.has(one));
      for (const { one } of dead) one.destroy(new LanpostError('timeout', 'The peer opened another stream, and confirms nothing on this one.'));
      if (dead.length > 0) return;
      const next = young.ready ? young : this.#newest();
      if (next) this.#use(next);
      for (const one of before) if (one !== next) void one.close();
    });
  }

  /** The old one may be dead without our knowing: it stays only if it answers. */
  async #keep(old: LinkStream, young: LinkStream): Promise<void> {
    // What is not read here for a while cannot show it.
    if (await old.probe(PROBE) || (old.ready && old.held)) await young.close();
    else old.destroy(new LanpostError('timeout', 'The peer opened another stream, and this one does not answer.'));
  }

  /** The stream dialled by the lower fingerprint stays; of two dialled by the same side, the younger. */
  #winner(old: LinkStream, young: LinkStream): LinkStream {
    if (old.side === young.side) return young;
    const weDial = goesFirst(this.#init.self(), { name: this.name, fingerprint: old.fingerprint ?? '' });
    return (old.side === 'dialled') === weDial ? old : young;
  }

  #twins(a: LinkStream, b: LinkStream): boolean {
    const [one, other] = [a.agreed, b.agreed];
    return Boolean(one?.managed && other?.managed && one.spki && other.spki && Buffer.compare(one.spki, other.spki) === 0);
  }

  #crossed(old: LinkStream, young: LinkStream): boolean {
    return !young.agreed?.managed && old.side === 'dialled' && this.#init.clock.mono() - (this.#streams.get(old) ?? 0) < CROSSING;
  }

  #newest(): LinkStream | undefined {
    return [...this.#streams.keys()].findLast(stream => stream.ready);
  }

  /** A peer needs no collection of streams; those that are being left show yet whether all was read. */
  #bound(): void {
    for (const stream of this.#streams.keys()) {
      const left = [...this.#streams.keys()].filter(({ leaving }) => leaving !== undefined).length;
      if (this.#streams.size - left <= STREAMS && left <= LEFT) return;
      // What it had not confirmed is sent again first: `remove` sees to it.
      if (stream !== this.#active && (!stream.leaving || left > LEFT)) stream.destroy();
    }
  }
}
