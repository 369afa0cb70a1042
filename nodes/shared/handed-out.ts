import type { Node } from 'node-red';
import type { Delivery } from '../../src/index.ts';
import type { Origin } from './item-message.ts';

/** What `lanpost ack` is told of a delivery that nobody has to confirm any more. */
export type Settled = 'done' | 'before' | 'gone' | 'other';

/** What one `lanpost subscribe` has handed to the flow and waits for the word of: bounded by what it may have in flight. */
export class HandedOut {
  readonly #windows = new Map<string, { readonly epoch: string; readonly waiting: Map<number, Delivery> }>();
  readonly #changed: () => void;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** The reader of that name begins: what it handed out before comes again, or was confirmed. */
  begin(subscription: string, epoch: string): void {
    this.#windows.set(subscription, { epoch, waiting: new Map() });
  }

  end(subscription: string): void {
    this.#windows.delete(subscription);
  }

  add(subscription: string, delivery: Delivery): void {
    this.#windows.get(subscription)?.waiting.set(delivery.seq, delivery);
  }

  count(subscription: string): number {
    return this.#windows.get(subscription)?.waiting.size ?? 0;
  }

  /** `before`: it was confirmed, or given back. `gone`: the reader has begun anew since, and has not handed it out again yet. `other`: what is in hand there is another record. */
  settle({ subscription, seq, epoch, recordId }: Origin, settle: (delivery: Delivery) => void): Settled {
    const window = this.#windows.get(subscription);
    const delivery = window?.waiting.get(seq);
    // Who has it in hand may have got it before a deployment: what counts is that it is the same record.
    if (!window || !delivery) return window?.epoch === epoch ? 'before' : 'gone';
    if (delivery.recordId !== recordId) return window.epoch === epoch ? 'other' : 'gone';
    window.waiting.delete(seq);
    settle(delivery);
    this.#changed();
    return 'done';
  }
}

/** A node that waits for the word of `lanpost ack`. */
export interface ConfirmedNode extends Node {
  readonly handedOut: HandedOut;
}

export function isConfirmed(node: Node): node is ConfirmedNode {
  return 'handedOut' in node && node.handedOut instanceof HandedOut;
}
