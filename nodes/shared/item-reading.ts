import { randomBytes } from 'node:crypto';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { Node, NodeMessage } from 'node-red';
import type { Box, Delivery, Subscription } from '../../src/index.ts';
import type { Asked } from './asked.ts';
import type { BoxConnection } from './box-connection.ts';
import type { Gate } from './gate.ts';
import { HandedOn } from './handed-on.ts';
import type { HandedOut } from './handed-out.ts';
import { inWords } from './in-words.ts';
import { itemMessage } from './item-message.ts';
import { LastAtPeer, lastValues } from './last-values.ts';
import { Pace } from './pace.ts';
import { PeerWatch } from './peer-watch.ts';
import { type Backlog, ReaderBacklog } from './reader-backlog.ts';
import { isReaderOf, type ReadingSettings, subscribeOptions, TURN } from './reading-settings.ts';
import { keepReading, unlessAborted } from './reading.ts';

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

/** One filter that a node reads, from its opening to its closing. */
export class ItemReading {
  readonly settings: ReadingSettings;
  received = 0;
  lost = 0;
  problem: string | undefined;
  /** Why the last one could not be what the flow wants; the next one that can ends it. */
  unfit: string | undefined;
  /** It has read, or is tried again. */
  hasBegun = false;
  /** Resolves when it reads, is tried again or has been closed; rejects when it never will. */
  readonly begun: Promise<void>;
  #open = false;
  readonly #parts: ReadingParts;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  readonly #opened: () => void;
  readonly #pace: Pace;
  readonly #backlog: ReaderBacklog;
  readonly #peer: PeerWatch | undefined;

  constructor(settings: ReadingSettings, parts: ReadingParts) {
    this.settings = settings;
    this.#parts = parts;
    this.#pace = new Pace(settings.rate);
    const { connection, started, changed, gate } = parts;
    this.#backlog = new ReaderBacklog({ isOf: (reader) => isReaderOf(reader, settings), asked: parts.asked, changed, more: () => gate.isShut });
    this.#peer = settings.at === undefined ? undefined : new PeerWatch({ at: settings.at, isOf: (reader) => isReaderOf(reader, settings), asked: parts.asked, changed });
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

  /** It is in place, and how it stands with its peer is known. */
  get open(): boolean {
    return this.#open && this.#peer?.isNew !== true;
  }

  /** What the owner of the peer has not said yet, or has refused: nothing comes of it. */
  get approval(): 'pending' | 'none' | undefined {
    return this.#peer?.approval;
  }

  /** It reads at a peer, to which there is no stream. */
  get isCutOff(): boolean {
    return this.#peer?.isAway === true;
  }

  /** What waits for it in the box, if it is durable. */
  get backlog(): Backlog | undefined {
    return this.#backlog.now;
  }

  /** The flow has as many as it may have. */
  get isFull(): boolean {
    return this.settings.manual && this.unconfirmed >= this.settings.inFlight;
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error('the node was closed'));
    await this.#running;
    this.#backlog.close();
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
    // What is above that is live; asked first, so that nothing is both a last value and live.
    const before = (await unlessAborted(box.status(), signal)).log.head;
    const subscription = box.subscribe(filter, subscribeOptions(this.settings, before, signal));
    handedOut.begin(name, epoch);
    let left = false;
    const handed = new HandedOn(signal);
    // What the flow has in this turn it need not get once more.
    const leave = async (): Promise<void> => {
      await handed.flush();
      await subscription.close();
    };
    const { durable, manual } = this.settings;
    const over = new AbortController();
    const atPeer = last ? this.#lastAtPeer(box, epoch, over.signal) : undefined;
    // What the flow has in hand it may still confirm: with such a reader it is waited for.
    const unwatch = durable && !manual ? gate.onShut(() => {
      left = true;
      leave().catch(() => undefined); // what went wrong the reading says itself
    }) : undefined;
    try {
      await subscription.ready;
      this.#open = true;
      this.problem = undefined;
      this.#opened();
      this.#parts.changed();
      this.#peer?.watch(box, over.signal).catch(() => undefined); // a box that has gone away is told by the reading itself
      const info = this.settings.durable ? await unlessAborted(this.#backlog.look(box), signal) : undefined;
      if (last) await this.#last(box, epoch, (seq) => seq > before || (info !== undefined && info.pending > 0 && seq > info.position), signal);
      const giving = atPeer?.give();
      // Of one that keeps its place the peer may be away, and what waits here need not wait for it.
      if (!durable) await giving;
      await this.#follow(box, subscription, { epoch, before, signal, handed, left: () => left, isRepeat: (delivery) => atPeer?.lasts.came(delivery) === true && !durable });
      return left;
    } finally {
      over.abort();
      unwatch?.();
      this.#backlog.rest();
      this.#open = false;
      handedOut.end(name);
      await leave();
    }
  }

  /** The newest of its topics, which a dashboard begins with: not to be confirmed, as it may come, or came, by itself. */
  async #last(box: Box, epoch: string, comes: (seq: number) => boolean, signal: AbortSignal): Promise<void> {
    const { filter, last, at, durable, from } = this.settings;
    if (at !== undefined || (!durable && from !== 'new')) return;
    for await (const delivery of lastValues(box, { filter, last }, ({ seq }) => comes(seq))) {
      if (signal.aborted) return;
      await this.#sendLast(delivery, epoch, signal);
    }
  }

  /** The same of one at a peer, which may be away when it begins: what went wrong is told once. */
  #lastAtPeer(box: Box, epoch: string, signal: AbortSignal): { readonly lasts: LastAtPeer; give(): Promise<void> } | undefined {
    const { filter, at, last, durable, from } = this.settings;
    if (at === undefined || last === 'none' || (!durable && from !== 'new')) return undefined;
    const lasts = new LastAtPeer();
    const send = (delivery: Delivery): Promise<void> => this.#sendLast(delivery, epoch, signal);
    const later = (ms: number): Promise<unknown> => sleep(ms, undefined, { signal, ref: false }).catch(() => undefined); // aborted: whoever waits looks
    const isLet = async (): Promise<boolean> => {
      await this.#peer?.look(box, signal);
      return this.approval === undefined;
    };
    const give = (): Promise<void> => new Promise((resolve) => {
      unlessAborted(lasts.give(box, { filter, at, last }, { send, later, isLet, refused: resolve, signal }), signal).catch((error: unknown) => {
        if (!signal.aborted) this.#parts.node.warn(`no last values of ${at}: ${inWords(error)}`);
      }).finally(resolve);
    });
    return { lasts, give };
  }

  async #sendLast(delivery: Delivery, epoch: string, signal: AbortSignal): Promise<void> {
    await this.#parts.gate.passed(signal);
    await this.#pace.turn(signal);
    if (signal.aborted) return;
    this.#send(delivery, epoch, true);
    if (this.received % TURN === 0) await nextTurn();
  }

  async #follow(box: Box, subscription: Subscription, { epoch, before, signal, handed, left, isRepeat }: {
    readonly epoch: string; readonly before: number; readonly signal: AbortSignal; readonly handed: HandedOn; readonly left: () => boolean;
    /** The flow has had it as a last value. */
    readonly isRepeat: (delivery: Delivery) => boolean;
  }): Promise<void> {
    const { gate } = this.#parts;
    const { at, manual, rateOf } = this.settings;
    let inTurn = 0;
    for (;;) {
      if (gate.isShut) await gate.passed(signal);
      const step = await subscription.next();
      if (step.done || signal.aborted || left()) return;
      const delivery = step.value;
      // What comes from a peer is new here, and may have waited there.
      const old = at !== undefined || delivery.seq <= before;
      // Whoever waits may be behind, also by what came since.
      if (this.settings.rate > 0 && (rateOf === 'all' || old) && await this.#pace.turn(signal)) this.#lookLater(box);
      if (gate.isShut && !left()) await gate.passed(signal);
      if (signal.aborted || left()) return;
      if (old) this.#lookLater(box);
      // One that the flow is to confirm waits in the box until then.
      if (!manual) this.#backlog.passed();
      if (isRepeat(delivery) || !this.#wanted(delivery)) {
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
      this.unfit = `${delivery.topic}: ${inWords(error)}`;
      changed();
      node.error(this.unfit, itemMessage(delivery, { retained, reader }));
      return false;
    }
    // Before it is sent: a flow that is handed to at once may confirm at once.
    if (manual && !retained) handedOut.add(subscription, delivery);
    this.received++;
    this.unfit = undefined;
    node.send(message);
    changed();
    return true;
  }

  /** It may be behind; of one that is not durable nobody counts what waits. */
  #lookLater(box: Box): void {
    if (this.settings.durable) this.#backlog.lookLater(box);
  }
}
