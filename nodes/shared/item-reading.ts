import { randomBytes } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Node, NodeMessage } from 'node-red';
import type { Box, Delivery, From, SubscribeOptions, Subscription, SubscriptionInfo } from '../../src/index.ts';
import type { Asked } from './asked.ts';
import type { BoxConnection } from './box-connection.ts';
import type { Gate } from './gate.ts';
import { HandedOn } from './handed-on.ts';
import type { HandedOut } from './handed-out.ts';
import { inWords } from './in-words.ts';
import { itemMessage } from './item-message.ts';
import { lastValues, type LastOf } from './last-values.ts';
import { Pace } from './pace.ts';
import type { PayloadForm } from './payload-form.ts';
import { keepReading } from './reading.ts';

/** Items handed to the flow before the rest of the process has a turn. */
const TURN = 64;
/** How often a reader that is behind looks how far. */
const LOOK_MS = 5000;

export interface ReadingSettings {
  readonly filter: string;
  /** The peer at which it reads. */
  readonly at?: string;
  /** What messages and lists call the reader; when it is `durable`, the box keeps its place under that name. */
  readonly subscription: string;
  readonly durable: boolean;
  readonly from: From;
  readonly last: LastOf;
  /** The flow confirms, by `lanpost ack`. */
  readonly manual: boolean;
  readonly inFlight: number;
  /** Milliseconds for that; 0: any time. */
  readonly ackWait: number;
  /** Items a second at most; 0: as many as come. */
  readonly rate: number;
  /** Whether that holds for all, or for what was there before. */
  readonly rateOf: 'backlog' | 'all';
  readonly form: PayloadForm;
  /** Also retractions, purges, … and gaps. */
  readonly changes: boolean;
}

export interface ReadingParts {
  readonly node: Node;
  readonly connection: BoxConnection;
  readonly started: Promise<void>;
  readonly handedOut: HandedOut;
  readonly gate: Gate;
  readonly asked: Asked;
  /** What it has to say has changed. */
  readonly changed: () => void;
}

/** What waits for a durable reader. */
export type Backlog = Pick<SubscriptionInfo, 'pending' | 'oldestAge'>;

/** One filter that a node reads, from its opening to its closing. */
export class ItemReading {
  readonly settings: ReadingSettings;
  received = 0;
  lost = 0;
  problem: string | undefined;
  open = false;
  /** It has read, or is tried again. */
  hasBegun = false;
  backlog: Backlog | undefined;
  /** Resolves when it reads, is tried again or has been closed; rejects when it never will. */
  readonly begun: Promise<void>;
  readonly #parts: ReadingParts;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  readonly #opened: () => void;
  readonly #pace: Pace;
  #looking: NodeJS.Timeout | undefined;

  constructor(settings: ReadingSettings, parts: ReadingParts) {
    this.settings = settings;
    this.#parts = parts;
    this.#pace = new Pace(settings.rate);
    const { connection, started } = parts;
    let begin!: () => void;
    let refuse: ((error: Error) => void) | undefined;
    this.begun = new Promise((resolve, reject) => {
      begin = resolve;
      refuse = reject;
    });
    const settle = (): void => {
      this.hasBegun = true;
      refuse = undefined;
      begin();
    };
    this.begun.catch(() => undefined); // whoever had it begin is told, if it is there still
    const failed = (words: string, final: boolean): void => {
      this.problem = words;
      if (final && refuse) refuse(new Error(words));
      else if (final) parts.node.error(words);
      settle();
      parts.changed();
    };
    this.#opened = settle;
    this.#running = keepReading({ connection, started, failed, once: (box, signal) => this.#once(box, signal) }, this.#stop.signal).finally(begin);
  }

  /** Handed to the flow, and not confirmed by it. */
  get unconfirmed(): number {
    return this.#parts.handedOut.count(this.settings.subscription);
  }

  /** The flow has as many as it may have. */
  get isFull(): boolean {
    return this.settings.manual && this.unconfirmed >= this.settings.inFlight;
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error('the node was closed'));
    await this.#running;
    clearTimeout(this.#looking);
  }

  /** A durable reader that is paused leaves: it is away, and gets of the lane `latest` what is newest when it is back. */
  async #once(box: Box, signal: AbortSignal): Promise<void> {
    const { gate } = this.#parts;
    let last = true;
    for (let left = true; left && !signal.aborted; last = false) {
      if (gate.isShut) this.#lookLater(box);
      await gate.passed(signal);
      left = await this.#read(box, last, signal);
    }
  }

  /** Whether it left because it was paused. */
  async #read(box: Box, last: boolean, signal: AbortSignal): Promise<boolean> {
    const { handedOut, gate } = this.#parts;
    const { subscription: name, filter } = this.settings;
    const epoch = randomBytes(6).toString('base64url');
    const subscription = box.subscribe(filter, this.#options(signal));
    handedOut.begin(name, epoch);
    let left = false;
    const handed = new HandedOn(signal);
    // What the flow has in this turn it need not get once more.
    const leave = async (): Promise<void> => {
      await handed.flush();
      await subscription.close();
    };
    const { durable, manual } = this.settings;
    // What the flow has in hand it may still confirm: with such a reader it is waited for.
    const unwatch = durable && !manual ? gate.onShut(() => {
      left = true;
      leave().catch(() => undefined); // what went wrong the reading says itself
    }) : undefined;
    try {
      await subscription.ready;
      this.open = true;
      this.problem = undefined;
      this.#opened();
      this.#parts.changed();
      const before = (await box.status()).log.head;
      const info = await this.#look(box);
      if (last) await this.#last(box, epoch, info, signal);
      await this.#follow(box, subscription, { epoch, before, signal, handed, left: () => left });
      return left;
    } finally {
      unwatch?.();
      clearTimeout(this.#looking);
      this.#looking = undefined;
      this.open = false;
      handedOut.end(name);
      await leave();
    }
  }

  #options(signal: AbortSignal): SubscribeOptions {
    const { at, subscription, durable, from, manual, inFlight, ackWait } = this.settings;
    return {
      signal, from, ack: 'manual', inFlight: manual ? inFlight : TURN,
      ...(at === undefined ? {} : { at }),
      ...(durable ? { durable: subscription } : {}),
      ...(manual && ackWait > 0 ? { ackWait } : {}),
    };
  }

  /** The newest of its topics, which a dashboard begins with: not to be confirmed, as it may come, or came, by itself. */
  async #last(box: Box, epoch: string, info: SubscriptionInfo | undefined, signal: AbortSignal): Promise<void> {
    const { filter, last, at, durable, from } = this.settings;
    if (at !== undefined || (!durable && from !== 'new')) return;
    const comes = ({ seq }: Delivery): boolean => info !== undefined && info.pending > 0 && seq > info.position;
    for await (const delivery of lastValues(box, filter, last, comes)) {
      await this.#parts.gate.passed(signal);
      await this.#pace.turn(signal);
      if (signal.aborted) return;
      this.#send(delivery, epoch, true);
      if (this.received % TURN === 0) await nextTurn();
    }
  }

  async #follow(box: Box, subscription: Subscription, { epoch, before, signal, handed, left }: { readonly epoch: string; readonly before: number; readonly signal: AbortSignal; readonly handed: HandedOn; readonly left: () => boolean }): Promise<void> {
    const { gate } = this.#parts;
    const { manual, rateOf } = this.settings;
    let inTurn = 0;
    for (;;) {
      if (gate.isShut) await gate.passed(signal);
      const step = await subscription.next();
      if (step.done || signal.aborted || left()) return;
      const delivery = step.value;
      const old = delivery.seq <= before;
      // Whoever waits may be behind, also by what came since.
      if (this.settings.rate > 0 && (rateOf === 'all' || old) && await this.#pace.turn(signal)) this.#lookLater(box);
      if (gate.isShut && !left()) await gate.passed(signal);
      if (signal.aborted || left()) return;
      if (old) this.#lookLater(box);
      if (!this.#wanted(delivery)) {
        delivery.ack();
        continue;
      }
      if (!this.#send(delivery, epoch, false)) delivery.ack();
      else if (!manual) handed.add(delivery);
      else if (this.isFull) this.#lookLater(box);
      if (++inTurn % TURN === 0) await nextTurn();
    }
  }

  #wanted(delivery: Delivery): boolean {
    if (delivery.kind === 'gap') {
      this.lost += delivery.count ?? 1;
      this.#parts.node.warn(`records were lost (${delivery.reason}): ${delivery.count ?? 'an unknown number'} between ${delivery.from} and ${delivery.to}`);
      this.#parts.changed();
    }
    return delivery.kind === 'item' || this.settings.changes;
  }

  /** Whether the flow got it; else Catch did. */
  #send(delivery: Delivery, epoch: string, retained: boolean): boolean {
    const { node, changed, handedOut } = this.#parts;
    const { form, subscription, manual } = this.settings;
    const reader = { node: node.id, subscription, epoch };
    let message: NodeMessage;
    try {
      message = itemMessage(delivery, { form, retained, ...(retained ? {} : { reader }) });
    } catch (error) {
      node.error(`${delivery.topic}: ${inWords(error)}`, itemMessage(delivery, { retained, reader }));
      return false;
    }
    // Before it is sent: a flow that is handed to at once may confirm at once.
    if (manual && !retained) handedOut.add(subscription, delivery);
    this.received++;
    node.send(message);
    changed();
    return true;
  }

  /** How much waits for a durable reader, and for how long; asked while it is behind. */
  async #look(box: Box): Promise<SubscriptionInfo | undefined> {
    if (!this.settings.durable) return undefined;
    const info = (await this.#parts.asked.answer(box.subscriptions.list())).find(({ name, reader }) => reader === 'local' && name === this.settings.subscription);
    this.backlog = info && info.pending > 0 ? info : undefined;
    this.#parts.changed();
    if (this.backlog || this.#parts.gate.isShut) this.#lookLater(box);
    return info;
  }

  #lookLater(box: Box): void {
    if (!this.settings.durable || this.#looking || this.#stop.signal.aborted) return;
    this.#looking = setTimeout(() => {
      this.#looking = undefined;
      this.#look(box).catch(() => undefined); // a box that has gone away is told by the reading itself
    }, LOOK_MS);
    this.#looking.unref();
  }
}
