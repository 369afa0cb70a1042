import type { Clock, Timer } from '../clock.ts';
import type { ProvenPeer } from './streams-port.ts';

/** Milliseconds before a peer that did not answer is called again: doubled each time, half of it at random. */
const FIRST_DELAY = 500;
const LONGEST_DELAY = 30_000;
/** A stream that ends sooner, after one that did, is as good as no answer; ms. */
const LASTING = 30_000;

export interface RejoinParts {
  readonly clock: Clock;
  /** The keys of those peers. */
  readonly wanted: () => Iterable<string>;
  /** The name a key goes by now, when it is on the link. */
  readonly nameOf: (fingerprint: string) => string | undefined;
  /** Opens a stream. */
  readonly prove: (name: string) => Promise<unknown>;
  /** How long a peer that is there has to call by itself, ms, and as much again at random. Default: it is called at once. */
  readonly patience?: number;
  readonly random?: () => number;
}

/** Calls peers that owe us something, or that we owe, while they are on the link and no stream to them is open. */
export class Rejoin {
  readonly #parts: RejoinParts;
  /** By key: the name that it was last proven under, and since when. */
  readonly #open = new Map<string, { readonly name: string; readonly since: number }>();
  /** By key, of wanted peers: how many streams in a row did not last, and how long it is left alone after the last. */
  readonly #brief = new Map<string, { readonly count: number; readonly until: number }>();
  /** By key: a call under way, or the wait before the next one. */
  readonly #calls = new Map<string, { delay: number; timer: Timer | undefined }>();
  #closed = false;

  constructor(parts: RejoinParts) {
    this.#parts = parts;
  }

  opened({ name, fingerprint }: ProvenPeer): void {
    const open = this.#open.get(fingerprint);
    this.#open.set(fingerprint, { name, since: open?.since ?? this.#parts.clock.mono() });
    this.#forget(fingerprint);
  }

  closed({ name, fingerprint }: ProvenPeer): void {
    const open = this.#open.get(fingerprint);
    if (open?.name === name) {
      this.#open.delete(fingerprint);
      this.#lasted(fingerprint, this.#parts.clock.mono() - open.since);
    }
    this.look();
  }

  /** Whose disk is full ends its streams as soon as something is to be kept: whoever calls at once calls for ever. Once may be chance. */
  #lasted(fingerprint: string, ms: number): void {
    const count = this.#brief.get(fingerprint)?.count ?? 0;
    if (ms >= LASTING || ![...this.#parts.wanted()].includes(fingerprint)) {
      this.#brief.delete(fingerprint);
      return;
    }
    const delay = count === 0 ? 0 : Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** (count - 1));
    this.#brief.set(fingerprint, { count: count + 1, until: this.#parts.clock.mono() + this.#varied(delay) });
  }

  /** Something has changed: peers, or what is wanted of them. `appeared` is called at once, however often it did not answer; not so soon when its streams end as soon as they are open. */
  look(appeared?: string): void {
    if (this.#closed) return;
    for (const fingerprint of new Set(this.#parts.wanted())) {
      const name = this.#parts.nameOf(fingerprint);
      if (name === undefined || this.#open.has(fingerprint)) continue;
      const call = this.#calls.get(fingerprint);
      if (call?.timer && name === appeared) this.#forget(fingerprint);
      if (!this.#calls.has(fingerprint)) this.#begin(fingerprint, name);
    }
  }

  close(): void {
    this.#closed = true;
    for (const fingerprint of this.#calls.keys()) this.#forget(fingerprint);
  }

  #begin(fingerprint: string, name: string): void {
    const { clock, patience = 0, random = Math.random } = this.#parts;
    const ms = Math.max(patience * (1 + random()), (this.#brief.get(fingerprint)?.until ?? 0) - clock.mono());
    if (ms <= 0) this.#call(fingerprint, name, FIRST_DELAY);
    else this.#wait(fingerprint, { delay: FIRST_DELAY / 2, timer: undefined }, ms);
  }

  #varied(delay: number): number {
    return delay * (0.5 + 0.5 * (this.#parts.random ?? Math.random)());
  }

  #call(fingerprint: string, name: string, delay: number): void {
    const call: { delay: number; timer: Timer | undefined } = { delay, timer: undefined };
    this.#calls.set(fingerprint, call);
    // `opened` ends it when it succeeds. That somebody else goes by the name is no success either; what went wrong the stream has told.
    const again = (): void => this.#later(fingerprint, call);
    this.#parts.prove(name).then(again, again);
  }

  #later(fingerprint: string, call: { delay: number; timer: Timer | undefined }): void {
    if (this.#closed || this.#open.has(fingerprint) || this.#calls.get(fingerprint) !== call) return;
    this.#wait(fingerprint, call, this.#varied(call.delay));
  }

  #wait(fingerprint: string, call: { readonly delay: number; timer: Timer | undefined }, ms: number): void {
    this.#calls.set(fingerprint, call);
    call.timer = this.#parts.clock.after(ms, () => {
      this.#calls.delete(fingerprint);
      const name = this.#parts.nameOf(fingerprint);
      const still = name !== undefined && !this.#open.has(fingerprint) && [...this.#parts.wanted()].includes(fingerprint);
      if (still) this.#call(fingerprint, name, Math.min(call.delay * 2, LONGEST_DELAY));
    });
  }

  #forget(fingerprint: string): void {
    this.#calls.get(fingerprint)?.timer?.stop();
    this.#calls.delete(fingerprint);
  }
}
