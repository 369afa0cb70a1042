// One end of a relayed connection: what is written to it comes out at the other end, and the other way round. Blocks in
// order, so many of them on their way; each is confirmed once there is room for the next, so who is slow is waited for.
import { Duplex } from 'node:stream';
import { callbackify } from 'node:util';
import type { Clock } from '../../clock.ts';
import { LanpostError } from '../../errors.ts';
import { type IbbData, SEQUENCE } from '../../xep/ibb.ts';
import { buildRelayClose, buildRelayData, RELAY_BLOCK_BYTES } from '../../xep/relay.ts';
import type { Element } from '../../xmpp/element.ts';
import { StanzaError } from '../../xmpp/stanza-error.ts';

/** Blocks sent and not confirmed. Few enough that a session keeps those of all relays when its stream breaks. */
const WINDOW = 4;
/** Blocks that have come and wait for whoever reads: no end of ours is ever as far ahead. */
const UNREAD = 16;

export interface RelayPipeInit {
  readonly sid: string;
  readonly clock: Clock;
  /** Asks the other end; rejects when it is gone, or says no. */
  readonly ask: (iq: Element) => Promise<Element>;
  /** Milliseconds that so many bytes more have to wait; default none. */
  readonly pace?: (bytes: number) => number;
  /** So many bytes have passed. */
  readonly moved?: (bytes: number) => void;
}

export class RelayPipe extends Duplex {
  readonly #init: RelayPipeInit;
  readonly #flying = new Set<Promise<void>>();
  #failure: Error | undefined;
  #seq = 0;
  #next = 0;
  #unread = 0;
  #roomy: (() => void)[] = [];
  /** The other end has said that it is over, or has been told. */
  #over = false;

  constructor(init: RelayPipeInit) {
    super({ allowHalfOpen: false, readableHighWaterMark: RELAY_BLOCK_BYTES * WINDOW, writableHighWaterMark: RELAY_BLOCK_BYTES * WINDOW });
    this.#init = init;
  }

  /** A block from the other end. Resolves when there is room for the next; until then it is not confirmed. */
  async receive({ seq, bytes }: IbbData): Promise<void> {
    if (this.destroyed || this.#over) throw new StanzaError('item-not-found');
    if (seq !== this.#next || this.#unread >= UNREAD) {
      const wrong = seq === this.#next ? 'more blocks than were confirmed' : `block ${this.#next} was expected`;
      this.destroy(new LanpostError('disconnected', `The other end of the relay sent what does not belong there: ${wrong}.`));
      throw new StanzaError('unexpected-request', { text: wrong, type: 'cancel' });
    }
    this.#next = (seq + 1) % SEQUENCE;
    this.#unread += 1;
    this.#init.moved?.(bytes.byteLength);
    const hasRoom = this.push(bytes);
    if (!hasRoom) await new Promise<void>((resolve) => { this.#roomy.push(resolve); });
    await this.#paced(bytes.byteLength);
    this.#unread -= 1;
  }

  /** The other end says that nothing more comes. */
  ended(): void {
    if (this.#over) return;
    this.#over = true;
    this.push(null); // eslint-disable-line unicorn/no-null -- the only way to say so
  }

  /** The other end is gone, and cannot be told anything. */
  lost(error: Error): void {
    this.#over = true;
    this.destroy(error);
  }

  override _read(): void {
    for (const go of this.#roomy.splice(0)) go();
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    callbackify(() => this.#send(bytes))(done);
  }

  override _final(done: (error?: Error | null) => void): void {
    callbackify(() => this.#finish())(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    for (const go of this.#roomy.splice(0)) go();
    if (!this.#over) void this.#leave();
    done(error);
  }

  async #send(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; at += RELAY_BLOCK_BYTES) {
      while (this.#flying.size >= WINDOW) await Promise.race(this.#flying);
      const block = bytes.subarray(at, at + RELAY_BLOCK_BYTES);
      await this.#paced(block.length);
      this.#check();
      this.#block(block);
    }
  }

  #block(bytes: Buffer): void {
    const { sid, ask, moved } = this.#init;
    const seq = this.#seq;
    this.#seq = (seq + 1) % SEQUENCE;
    const sent = ask(buildRelayData({ sid, seq, bytes })).then(
      () => moved?.(bytes.length),
      (error: unknown) => {
        this.#failure ??= error instanceof Error ? error : new LanpostError('disconnected', String(error));
        this.destroy(this.#failure);
      },
    ).finally(() => this.#flying.delete(sent));
    this.#flying.add(sent);
  }

  #check(): void {
    if (this.#failure) throw this.#failure;
    if (this.#over) throw new LanpostError('disconnected', 'The other end of the relay has closed it.');
  }

  async #finish(): Promise<void> {
    await Promise.all(this.#flying);
    if (this.#failure) throw this.#failure;
    if (!this.#over) await this.#tellEnd();
    this.push(null); // eslint-disable-line unicorn/no-null -- as above: both ways end together
  }

  async #leave(): Promise<void> {
    await this.#tellEnd().catch(() => undefined); // it has gone itself, or will notice
  }

  async #tellEnd(): Promise<void> {
    this.#over = true;
    await this.#init.ask(buildRelayClose(this.#init.sid));
  }

  async #paced(bytes: number): Promise<void> {
    const wait = this.#init.pace?.(bytes) ?? 0;
    if (wait > 0) await new Promise<void>((resolve) => { this.#init.clock.after(wait, resolve); });
  }
}
