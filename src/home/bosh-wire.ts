// XEP-0124 and XEP-0206: a stream over HTTP requests. One is always open, for the server to answer when it has something
// to say; what this side has to say goes in another, upon which the server answers the first.
import { randomInt } from 'node:crypto';
import type { Clock, Timer } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import { attr, type Element, XmlFault } from '../xmpp/element.ts';
import { streamError } from '../xmpp/stream-error.ts';
import type { Wire, WireCallbacks } from '../xmpp/wire.ts';
import { type BoshAnswer, creation, parseBody, request } from './bosh-body.ts';
import { BoshOrder } from './bosh-order.ts';
import { type HttpAnswer, refusalOf } from './https.ts';
import { Unusable } from './loss.ts';
import { standalone } from './standalone.ts';

export interface BoshWireOptions {
  readonly clock: Clock;
  readonly limits: { readonly stanzaBytes: number; readonly depth: number };
  /** `gone` is called when its last byte was handed to the network. */
  readonly post: (body: string, gone: () => void) => Promise<HttpAnswer>;
  /** Nothing more is posted, and nothing that was is of interest. */
  readonly done: () => void;
  readonly on: WireCallbacks;
}

/** Requests at once, whatever the server allows; bytes of stanzas in one, and waiting. */
const MAX_REQUESTS = 2;
const MAX_BODY = 262_144;
const MAX_OUTPUT = 4 << 20;
const HIGH_WATER = 65_536;
/** A request that failed is sent again: the server answers it as it did (XEP-0124 §14.2), and takes nothing twice. */
const TRIES = 3;
const PAUSE = 1_000;
/** The first time almost at once: what ended this one may be about to end the one before, which has to go first then. */
const SHORT_PAUSE = 50;
const CLOSE_DEADLINE = 2_000;
/** HTTP answers after which the same request may fare better. */
const PASSING: ReadonlySet<number> = new Set([502, 503, 504]);

export class BoshWire implements Wire {
  readonly #options: BoshWireOptions;
  readonly #order: BoshOrder;
  #rid = randomInt(1, 2 ** 40);
  #next: number;
  #sid: string | undefined;
  #requests = MAX_REQUESTS;
  #open = 0;
  #paused = false;
  #out: string[] = [];
  #outBytes = 0;
  #restart: string | undefined;
  #begun = false;
  /** By rid: answers that came before one that is older. */
  readonly #early = new Map<number, BoshAnswer>();
  #flushing: NodeJS.Immediate | undefined;
  #closing = false;
  #terminated = false;
  #closed = false;
  #reason: Error | undefined;
  #deadline: Timer | undefined;
  #ended: (() => void)[] = [];
  #lastReceived: number;

  constructor(options: BoshWireOptions) {
    this.#options = options;
    this.#order = new BoshOrder(options.clock);
    this.#next = this.#rid;
    this.#lastReceived = options.clock.mono();
  }

  get closed(): boolean {
    return this.#closed;
  }

  get lastReceived(): number {
    return this.#lastReceived;
  }

  open(header: Element): void {
    const to = attr(header, 'to') ?? '';
    if (this.#begun) {
      // XEP-0206 §5: no header answers a restart, features do.
      this.#restart = to;
      this.#options.on.header();
      this.#schedule();
      return;
    }
    this.#begun = true;
    this.#post(this.#rid++, (rid) => creation(rid, to));
  }

  restart(): void { /* told by the next `open` */ }

  write(element: Element): boolean {
    if (this.#closed || this.#closing) return false;
    const text = standalone(element);
    this.#out.push(text);
    this.#outBytes += Buffer.byteLength(text);
    if (this.#outBytes > MAX_OUTPUT) {
      this.destroy(new LanpostError('disconnected', 'The other side does not read.'));
      return false;
    }
    this.#schedule();
    return this.#outBytes < HIGH_WATER;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#take();
    this.#schedule();
  }

  fail(condition: string, text?: string, application?: Element): Promise<void> {
    this.write(streamError(condition, text, application));
    this.#reason ??= new LanpostError('disconnected', `The stream was ended: ${condition}${text === undefined ? '' : ` (${text})`}.`);
    return this.close();
  }

  close(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    const done = new Promise<void>((resolve) => { this.#ended.push(resolve); });
    if (this.#closing) return done;
    this.#closing = true;
    if (this.#sid === undefined) this.destroy();
    else {
      this.#deadline = this.#options.clock.after(CLOSE_DEADLINE, () => this.destroy());
      this.#flush();
    }
    return done;
  }

  destroy(reason?: Error): void {
    if (this.#closed) return;
    this.#reason ??= reason;
    this.#closed = true;
    this.#deadline?.stop();
    this.#order.close();
    clearImmediate(this.#flushing);
    this.#out = [];
    this.#early.clear();
    this.#options.done();
    for (const tell of this.#ended.splice(0)) tell();
    // Not within the call that led to it: as a socket would.
    queueMicrotask(() => this.#options.on.close(this.#reason));
  }

  #schedule(): void {
    if (this.#closed) return;
    this.#flushing ??= setImmediate(() => this.#flush());
  }

  #flush(): void {
    clearImmediate(this.#flushing);
    this.#flushing = undefined;
    const sid = this.#sid;
    if (sid === undefined || this.#closed || this.#terminated) return;
    while (this.#open < this.#requests) {
      const restart = this.#restart;
      this.#restart = undefined;
      // XEP-0206 §5: what follows a restart goes with a later request.
      const stanzas = restart === undefined ? this.#chunk() : [];
      const terminate = this.#closing && restart === undefined && this.#out.length === 0;
      // Nothing to say: one stays open, for the server. While nothing is read, none.
      if (restart === undefined && stanzas.length === 0 && !terminate && (this.#open > 0 || this.#paused)) return;
      this.#terminated = terminate;
      this.#post(this.#rid++, (rid) => request(rid, sid, { ...(restart === undefined ? {} : { restart }), terminate, stanzas }));
      if (terminate) return;
    }
  }

  #chunk(): string[] {
    let bytes = 0;
    let count = 0;
    for (const text of this.#out) {
      const more = Buffer.byteLength(text);
      if (count > 0 && bytes + more > MAX_BODY) break;
      bytes += more;
      count++;
    }
    this.#outBytes -= bytes;
    return this.#out.splice(0, count);
  }

  #post(rid: number, build: (rid: number) => string): void {
    this.#open++;
    this.#exchange(rid, build(rid)).catch((error: unknown) => this.destroy(error instanceof Error ? error : new Error(String(error))));
  }

  async #exchange(rid: number, body: string): Promise<void> {
    for (let tries = 1; !this.#closed; tries++) {
      try {
        await this.#order.turn(rid);
        if (this.#closed) return;
        const answer = await this.#options.post(body, () => this.#order.gone(rid));
        if (this.#closed) return;
        this.#lastReceived = this.#options.clock.mono();
        if (PASSING.has(answer.status) && tries < TRIES) await this.#order.again(rid, PAUSE);
        else return this.#answered(rid, answer);
      } catch (error) {
        // The first of all is not repeated: whether a session came of it is not known.
        if (tries >= TRIES || this.#sid === undefined || error instanceof Unusable) return this.destroy(error instanceof Error ? error : new Error(String(error)));
        await this.#order.again(rid, tries > 1 ? PAUSE : SHORT_PAUSE);
      }
    }
  }

  #answered(rid: number, { status, body }: HttpAnswer): void {
    this.#open--;
    this.#order.answered(rid);
    // XEP-0124 §17.2: of a session that there was, any of them says that it is over; the next may well begin.
    if (status !== 200) return this.destroy(this.#sid === undefined ? refusalOf('the server\'s web service', status) : new LanpostError('disconnected', `The server's web service ended the session: ${status}.`));
    try {
      this.#early.set(rid, parseBody(body, this.#options.limits));
    } catch (error) {
      if (!(error instanceof XmlFault)) throw error;
      this.#options.on.error({ condition: error.condition, text: error.message });
      return this.destroy();
    }
    this.#take();
    // Not at once: what came may be answered with more than nothing.
    this.#schedule();
  }

  /** In the order of the requests, whichever was answered first (XEP-0124 §14.1). */
  #take(): void {
    for (let answer = this.#early.get(this.#next); answer && !this.#paused && !this.#closed; answer = this.#early.get(this.#next)) {
      this.#early.delete(this.#next++);
      this.#dealWith(answer);
    }
  }

  #dealWith({ sid, requests, elements, terminated }: BoshAnswer): void {
    const { on } = this.#options;
    if (this.#sid === undefined) {
      if (sid === undefined) return this.destroy(new Unusable(`the server's web service begins no session${terminated === undefined || terminated === '' ? '' : `: ${terminated}`}`));
      this.#sid = sid;
      this.#requests = Math.min(MAX_REQUESTS, requests ?? MAX_REQUESTS);
      on.header();
    }
    try {
      for (const element of elements) on.stanza(element);
    } catch (error) {
      return this.destroy(error instanceof Error ? error : new Error('a callback failed', { cause: error }));
    }
    if (terminated !== undefined) this.destroy(new LanpostError('disconnected', `The server ended the session${terminated === '' ? '' : `: ${terminated}`}.`));
  }
}
