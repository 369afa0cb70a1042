import { setTimeout as pause } from 'node:timers/promises';
import type { Box, PeerEvent, Receipt } from '../../src/index.ts';

/** Milliseconds between two messages of a flow. */
const EVERY = 50;

/** Numbered messages from one box to another, sent all the time; each that was accepted must arrive once, in order. */
export class Flow {
  readonly #from: Box;
  readonly #to: string;
  readonly #label: string;
  readonly accepted: string[] = [];
  readonly #receipts: Receipt[] = [];
  /** Given to the box, and never said to be accepted: it may arrive or not. */
  readonly #unsure: string[] = [];
  #stopped = false;
  readonly #running: Promise<void>;

  constructor(from: Box, to: string, label: string) {
    this.#from = from;
    this.#to = to;
    this.#label = label;
    this.#running = this.#run();
  }

  /** Sends no more; resolves when all that was accepted has been delivered. */
  async stop(within: number): Promise<void> {
    this.#stopped = true;
    await this.#running;
    const late = pause(within, undefined, { ref: false }).then(() => { throw new Error(`${this.#label}: not all was delivered within ${within} ms`); });
    await Promise.race([Promise.all(this.#receipts.map(({ delivered }) => delivered)), late]);
  }

  /** The sender is gone: resolves when nothing more is given to it. */
  async abandon(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  /** What is wrong with what came in at `box`, sent by `from`, which may be another run of the sender. */
  async faults(box: Box, reader: string, from: Box = this.#from): Promise<string[]> {
    const got: string[] = [];
    const wanted = new Set(this.accepted);
    // Whatever comes a second time has come before this one.
    const last = `${this.#label} the last`;
    await (await from.send(this.#to, last)).delivered;
    for await (const message of box.messages({ name: reader, signal: AbortSignal.timeout(30_000) })) {
      message.ack();
      if (!message.body.startsWith(`${this.#label} `)) continue;
      if (message.body === last) break;
      got.push(message.body);
      wanted.delete(message.body);
    }
    const doubled = got.filter((body, index) => got.indexOf(body) !== index);
    const order = got.map((body) => Number(body.split(' ')[1]));
    const swapped = got.filter((_, index) => index > 0 && (order[index] ?? 0) < (order[index - 1] ?? 0));
    const invented = got.filter((body) => !this.accepted.includes(body) && !this.#unsure.includes(body));
    return [...[...wanted].map((body) => `lost: ${body}`), ...doubled.map((body) => `doubled: ${body}`), ...swapped.map((body) => `out of order: ${body}`), ...invented.map((body) => `invented: ${body}`)];
  }

  async #run(): Promise<void> {
    for (let n = 0; !this.#stopped; n += 1) {
      const body = `${this.#label} ${n}`;
      try {
        const receipt = await this.#from.send(this.#to, body);
        receipt.delivered.catch(() => undefined); // `stop` waits for it
        receipt.handed.catch(() => undefined);
        this.accepted.push(body);
        this.#receipts.push(receipt);
      } catch {
        this.#unsure.push(body); // its box has been killed
      }
      await pause(EVERY);
    }
  }
}

/** What one box sees of another, as it changes. */
export class Sight {
  #present = false;
  addresses: readonly string[] = [];
  /** What the other says of itself, for people. */
  text: string | undefined;
  readonly seen: { readonly type: PeerEvent['type']; readonly at: number }[] = [];
  readonly #waiting = new Set<() => void>();

  constructor(box: Box, name: string, signal: AbortSignal) {
    void (async () => {
      for await (const { type, peer } of box.peers.watch({ signal })) {
        if (peer.name !== name) continue;
        this.#present = type !== 'down';
        this.addresses = peer.addresses;
        this.text = peer.statusText;
        this.seen.push({ type, at: performance.now() });
        for (const look of this.#waiting) look();
      }
    })().catch(() => { /* its box has gone: who waits times out */ });
  }

  get present(): boolean {
    return this.#present;
  }

  /** How often it was seen to go. */
  get downs(): number {
    return this.seen.filter(({ type }) => type === 'down').length;
  }

  /** Milliseconds until the other is there, or is not. */
  becomes(present: boolean, within: number): Promise<number> {
    return this.until(() => this.#present === present, within);
  }

  async until(fits: () => boolean, within: number): Promise<number> {
    const begin = performance.now();
    await new Promise<void>((resolve, reject) => {
      const look = (): void => {
        if (!fits()) return;
        clearTimeout(timer);
        this.#waiting.delete(look);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#waiting.delete(look);
        reject(new Error(`not so within ${within} ms; seen: ${JSON.stringify(this.seen)}, now ${performance.now()}`));
      }, within);
      this.#waiting.add(look);
      look();
    });
    return Math.round(performance.now() - begin);
  }
}
