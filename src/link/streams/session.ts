// XEP-0198 §5: what outlives a stream, so that the next one to the same key can go on where it broke.
import { randomBytes } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import { LanpostError } from '../../errors.ts';
import { type Element, serialize } from '../../xmpp/element.ts';
import { Confirmations } from './confirmations.ts';

/** Bytes of answers that one session keeps while no stream carries it; with more it cannot be resumed. */
const LATE_BYTES = 256 * 1024;

/** The stream that carries a session now. */
export interface Carrier {
  write(text: string): void;
  answer(reply: Element): void;
  /** The peer has resumed elsewhere: what this one still brings must not count. */
  supersede(): void;
}

export class Session {
  /** What both sides call it; random, so that nobody else can. */
  readonly id: string;
  readonly name: string;
  readonly fingerprint: string;
  /** Milliseconds for which it may be resumed. */
  readonly lasts: number;
  readonly confirmations: Confirmations;
  #carrier: Carrier | undefined;
  /** Answers that were ready when no stream carried it. */
  readonly #late: Element[] = [];
  #spoilt = false;

  constructor(clock: Clock, { id = randomBytes(16).toString('hex'), name, fingerprint, lasts }: {
    readonly id?: string; readonly name: string; readonly fingerprint: string; readonly lasts: number;
  }) {
    this.id = id;
    this.name = name;
    this.fingerprint = fingerprint;
    this.lasts = lasts;
    this.confirmations = new Confirmations(clock);
  }

  get carrier(): Carrier | undefined {
    return this.#carrier;
  }

  /** Whether nothing has happened that only a new session puts right. */
  get isSound(): boolean {
    return !this.#spoilt && this.confirmations.isComplete;
  }

  /** Something that came could not be made durable: what came after it may have been, and `h` cannot say so. */
  spoil(): void {
    this.#spoilt = true;
    this.confirmations.stuck();
  }

  /** A stream begins to carry it, from the peer's `h` on. How many stanzas their senders have to send again. */
  carry(carrier: Carrier, h: number): number {
    this.#carrier = carrier;
    const lost = this.confirmations.resume(h, text => carrier.write(text), new LanpostError('disconnected', 'The stream was lost before the peer confirmed.'));
    for (const reply of this.#late.splice(0)) carrier.answer(reply);
    return lost;
  }

  suspend(): void {
    this.#carrier = undefined;
    this.confirmations.suspend();
  }

  /** The answer to a stanza that came over a stream which is gone. */
  answer(reply: Element): void {
    if (this.#carrier) this.#carrier.answer(reply);
    else if (this.#late.reduce((sum, one) => sum + serialize(one).length, 0) > LATE_BYTES) this.spoil();
    else this.#late.push(reply);
  }

  lose(error: Error): void {
    this.#carrier = undefined;
    this.#late.length = 0;
    this.confirmations.lose(error);
  }
}
