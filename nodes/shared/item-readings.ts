import type { Node, NodeMessage } from 'node-red';
import type { Box } from '../../src/index.ts';
import { Asked } from './asked.ts';
import type { BoxConnection } from './box-connection.ts';
import { under } from './came-with.ts';
import { Gate } from './gate.ts';
import { HandedOut } from './handed-out.ts';
import { codeOf, inWords } from './in-words.ts';
import { ItemReading } from './item-reading.ts';
import { tellLeft } from './left-readers.ts';
import type { NodeStatus } from './node-status.ts';
import { orLate } from './or-late.ts';
import { queueInWords } from './reader-backlog.ts';
import { isReaderOf, type ReadingSettings } from './reading-settings.ts';
import type { Send } from './sender.ts';
import { type WantedFilter, wantedIn } from './wanted-filters.ts';

/** Filters that one node may be told to read, beside its own. */
export const MAX_READINGS = 100;

/** From then on the status says how old the oldest is of what waits. */
const OLD_MS = 1000;

/** What a flow calls the filters it has told a node to read. */
interface Told { readonly topic: string; readonly durable: boolean; readonly reader: string }

/** All that one `lanpost subscribe` reads: its own filter, and those that messages have told it. */
export class ItemReadings {
  readonly handedOut: HandedOut;
  readonly #node: Node;
  readonly #teller: Node;
  readonly #connection: BoxConnection;
  readonly #status: NodeStatus;
  readonly #asked: Asked;
  readonly #own: ReadingSettings;
  readonly #gate = new Gate();
  readonly #started: Promise<void>;
  readonly #leave: () => void;
  readonly #unwatch: () => void;
  /** By filter. */
  readonly #readings = new Map<string, ItemReading>();
  /** What it goes on with when it is told to connect, by filter; undefined: it is connected. */
  #left: Map<string, ReadingSettings> | undefined;
  readonly #closing = new AbortController();
  readonly #say = (): void => this.#status.changed(this.#show);
  #obeyed: Promise<void> = Promise.resolve();

  constructor({ node, teller, connection, status }: { readonly node: Node; readonly teller: Node; readonly connection: BoxConnection; readonly status: NodeStatus }, own: ReadingSettings) {
    this.#node = node;
    this.#teller = teller;
    this.#connection = connection;
    this.#status = status;
    this.#asked = new Asked(status);
    this.#own = own;
    this.handedOut = new HandedOut(this.#say);
    this.#started = connection.flowsStarted();
    this.#leave = connection.enter();
    if (own.filter !== '') this.#report(this.#read(own));
    const unwatch = connection.watch(() => this.#show());
    const unasked = connection.watchAnswers((answer) => this.#asked.also(answer));
    this.#unwatch = () => {
      unwatch();
      unasked();
    };
  }

  /** `msg.action`: what core's `mqtt in` is told, and `pause` and `resume`. One message after the other. */
  told(msg: NodeMessage, send: Send): Promise<void> {
    return orLate(this.#told(msg, send), this.#closing.signal);
  }

  async #told(msg: NodeMessage, send: Send): Promise<void> {
    const obeyed = this.#obeyed.then(() => this.#obey(msg, send));
    this.#obeyed = obeyed.then(() => undefined, () => undefined); // whoever sent it is told
    // The next one need not wait for that: it may be the one to end it.
    const begun = await Promise.allSettled((await obeyed).map((reading) => this.#untilBegun(reading)));
    const refused = begun.find((outcome) => outcome.status === 'rejected');
    if (refused) throw refused.reason;
  }

  /** What it has begun to read. */
  async #obey(msg: NodeMessage, send: Send): Promise<ItemReading[]> {
    this.#closing.signal.throwIfAborted();
    const begun: ItemReading[] = [];
    const { action } = msg;
    switch (action) {
      case 'pause': this.#gate.shut(); break;
      case 'resume': this.#gate.open(); break;
      case 'disconnect': await this.#disconnect(); break;
      case 'connect':
        if (msg.broker !== undefined) throw new Error('msg.broker: the box is chosen in the node, and a message cannot choose another');
        begun.push(...this.#connect());
        break;
      case 'subscribe': begun.push(...await this.#subscribe(wantedIn(msg.topic))); break;
      case 'unsubscribe':
        // oxlint-disable-next-line typescript/no-unnecessary-condition -- a message is typed by hope
        for (const topic of (msg.topic as unknown) === true ? this.#wanted().map(({ filter }) => filter) : wantedIn(msg.topic).map((wanted) => wanted.topic)) await this.#forget(topic);
        break;
      case 'getSubscriptions':
        send({ ...under('subscriptions', msg), payload: this.#list() });
        break;
      default: throw new Error('msg.action is one of subscribe, unsubscribe, getSubscriptions, connect, disconnect, pause, resume');
    }
    this.#show();
    // What is wrong with it is known when the box is open, and it is not paused: nobody waits so long.
    if (this.#connection.state.phase === 'open' && !this.#gate.isShut) return begun;
    for (const reading of begun) this.#report(reading);
    return [];
  }

  async #subscribe(asked: readonly WantedFilter[]): Promise<ItemReading[]> {
    const known = new Set(this.#wanted().map(({ filter }) => filter));
    const more = asked.filter(({ topic }) => !known.has(topic));
    if (known.size + more.length > MAX_READINGS) throw new Error(`at most ${MAX_READINGS} filters are read by one node`);
    const begun: ItemReading[] = [];
    for (const wanted of asked) {
      const settings = this.#settingsFor(wanted);
      if (this.#left) {
        this.#left.set(wanted.topic, settings);
        continue;
      }
      await this.#end(wanted.topic);
      // Nobody would end what begins now.
      this.#closing.signal.throwIfAborted();
      begun.push(this.#read(settings));
    }
    return begun;
  }

  /** All that it reads it leaves: the box keeps the places of durable readers, and nothing for the others. */
  async #disconnect(): Promise<void> {
    if (this.#left) return;
    this.#left = new Map(this.#wanted().map((settings) => [settings.filter, settings]));
    await Promise.all([...this.#readings.keys()].map((filter) => this.#end(filter)));
  }

  #connect(): ItemReading[] {
    const left = [...this.#left?.values() ?? []];
    this.#left = undefined;
    return left.map((settings) => this.#read(settings));
  }

  /** What it reads, or would if it were connected. */
  #wanted(): ReadingSettings[] {
    return this.#left ? [...this.#left.values()] : [...this.#readings.values()].map(({ settings }) => settings);
  }

  async #end(filter: string): Promise<void> {
    const reading = this.#readings.get(filter);
    if (!reading) return;
    await reading.close();
    this.#readings.delete(filter);
  }

  /** One that can never be read is not kept. */
  async #untilBegun(reading: ItemReading): Promise<void> {
    try {
      await reading.begun;
      if (!reading.hasBegun && this.#closing.signal.aborted) throw new Error('the flow was stopped or deployed again before this was read');
    } catch (error) {
      if (this.#readings.get(reading.settings.filter) === reading) this.#readings.delete(reading.settings.filter);
      await reading.close();
      this.#say();
      throw error;
    }
  }

  #report(reading: ItemReading): void {
    reading.begun.catch((error: unknown) => this.#node.error(inWords(error)));
  }

  async close(removed: boolean): Promise<void> {
    this.#closing.abort(new Error('the node was closed'));
    this.#unwatch();
    await Promise.all([...[...this.#readings.values()].map((reading) => reading.close()), this.#obeyed]);
    if (removed) await this.#tellLeft();
    this.#leave();
  }

  async #tellLeft(): Promise<void> {
    const { state } = this.#connection;
    const durable = this.#wanted().filter((settings) => settings.durable);
    if (state.phase === 'open' && durable.length > 0) await tellLeft(this.#teller, state.box, await namesOf(state.box, durable));
  }

  #read(settings: ReadingSettings): ItemReading {
    const reading = new ItemReading(settings, {
      node: this.#node, connection: this.#connection, started: this.#started, handedOut: this.handedOut, gate: this.#gate, asked: this.#asked, changed: this.#say,
    });
    this.#readings.set(settings.filter, reading);
    return reading;
  }

  /** A durable reader that a message has begun has a name of its own, which is the same after a deployment. */
  #settingsFor({ topic, ...changes }: WantedFilter): ReadingSettings {
    const durable = changes.durable ?? this.#own.durable;
    return { ...this.#own, ...changes, durable, filter: topic, subscription: topic === this.#own.filter ? this.#own.subscription : `${this.#own.subscription}:${topic}` };
  }

  /** As in MQTT, whoever unsubscribes wants nothing kept; the node's own reader is there again after a deployment. */
  async #forget(topic: string): Promise<void> {
    const settings = this.#wanted().find(({ filter }) => filter === topic);
    if (!settings) return;
    this.#left?.delete(topic);
    await this.#end(topic);
    if (!settings.durable || topic === this.#own.filter) return;
    const box = await this.#asked.opened(this.#connection.box(this.#closing.signal));
    for (const name of await this.#asked.answer(namesOf(box, [settings]))) {
      await this.#asked.answer(box.subscriptions.drop(name)).catch((error: unknown) => {
        if (codeOf(error) !== 'not-found') throw error;
      });
    }
  }

  #list(): Told[] {
    return this.#wanted().map(({ filter, durable, subscription }) => ({ topic: filter, durable, reader: subscription }));
  }

  readonly #show = (): void => {
    if (this.#closing.signal.aborted) return;
    const { state } = this.#connection;
    const all = [...this.#readings.values()];
    const received = `received ${all.reduce((sum, one) => sum + one.received, 0)}`;
    if (state.phase === 'failed') return this.#status.bad(state.reason);
    if (state.phase !== 'open') return this.#status.waiting('opening the box');
    if (this.#left) return this.#status.idle('disconnected');
    const problem = all.find((one) => one.problem !== undefined)?.problem;
    if (problem !== undefined) return this.#status.bad(problem);
    const queue = queueInWords(all.map(({ backlog }) => backlog), OLD_MS);
    if (this.#gate.isShut) return this.#status.waiting(`paused${queue}, ${received}`);
    const unconfirmed = all.reduce((sum, one) => sum + one.unconfirmed, 0);
    if (all.some((one) => one.isFull)) return this.#status.waiting(`${unconfirmed} unacked, waiting${queue}`);
    if (all.length === 0) return this.#status.idle('reads nothing');
    if (!all.every((one) => one.open)) return this.#status.waiting('opening the reader');
    if (all.some((one) => one.isCutOff)) return this.#status.waiting(`peer not reached, ${received}${queue}`);
    // Nothing comes, and nothing is wrong here.
    if (all.some(({ approval }) => approval === 'none')) return this.#status.bad(`refused by the owner of the peer, ${received}${queue}`);
    if (all.some(({ approval }) => approval === 'pending')) return this.#status.waiting(`waits for the owner of the peer, ${received}${queue}`);
    const lost = all.reduce((sum, one) => sum + one.lost, 0);
    const text = `${received}${unconfirmed === 0 ? '' : `, ${unconfirmed} unacked`}${lost === 0 ? '' : `, ${lost} lost`}${queue}`;
    const unfit = all.find((one) => one.unfit !== undefined)?.unfit;
    if (unfit !== undefined) this.#status.bad(`${text} · ${unfit}`);
    else if (lost > 0) this.#status.flawed(text);
    else this.#status.good(text);
  };
}

/** What the box calls their durable readers. */
async function namesOf(box: Box, wanted: readonly ReadingSettings[]): Promise<Set<string>> {
  return new Set((await box.subscriptions.list()).filter((reader) => wanted.some((settings) => isReaderOf(reader, settings))).map(({ name }) => name));
}
