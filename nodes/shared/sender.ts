import { setMaxListeners } from 'node:events';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { Node, NodeAPI, NodeMessage } from 'node-red';
import type { Box } from '../../src/index.ts';
import type { BoxConnection, BoxState } from './box-connection.ts';
import { connectionOf, NO_BOX, onClose, type BoxUserDef } from './box-node.ts';
import { GRACE_MS, heldUp, oldestInWords } from './held-up.ts';
import { codeOf, inWords } from './in-words.ts';
import { NodeStatus } from './node-status.ts';
import { FINISH_MS, NOT_ANSWERED } from './or-late.ts';
import { outcomeOf, type Done } from './outcome.ts';
import { UnderWay, type Queue } from './under-way.ts';

/** Messages that wait in one node, for the box or for what comes after acceptance; the next one fails with words, so that Catch sees it. */
const MAX_WAITING = 10_000;
/** Handed to the box at once; enough for one commit to be shared by many while the next ones are made ready. */
const MAX_IN_FLIGHT = 512;
const BUSY_RETRY_MS = 200;

/** Hands what came of a message to the next nodes; one place per output. */
export type Send = (msg: NodeMessage | (NodeMessage | NodeMessage[] | null)[]) => void;

interface Job {
  readonly msg: NodeMessage;
  readonly send: Send;
  readonly done: Done;
  /** When it came. */
  readonly since: number;
  /** Jobs keep the order in which they came, also when they have to be tried again. */
  readonly no: number;
}

/**
 * The sending half of a node: messages wait for the box, go in order, and `done` is called
 * when what was asked for is true, with the error when it is not. Returns how the node sends one of its own, once
 * the flow has all its nodes.
 */
export function sendThrough(RED: NodeAPI, node: Node, def: BoxUserDef, task: {
  /** Past tense for the status, e.g. `published`. */
  readonly did: string;
  /** What may have become of one that the box had not answered when the flow was stopped; missing: nothing. */
  readonly mayHave?: string;
  /** What it waits for after acceptance is bounded by the box, which gives up the oldest: it keeps nothing new off the disk. */
  readonly isFollowed?: boolean;
  /** `closing` stops waiting for what comes after acceptance, which `accepted` tells of: from then on it keeps no other waiting. */
  deliver(box: Box, msg: NodeMessage, closing: AbortSignal, send: Send, accepted: () => void): Promise<void>;
}): ((msg: NodeMessage) => void) | undefined {
  const connection = connectionOf(RED, def);
  const status = new NodeStatus(node);
  if (!connection) {
    status.bad(NO_BOX);
    node.on('input', (msg, _send, done) => outcomeOf(node, msg, done)(new Error(NO_BOX)));
    onClose(node, async () => status.close());
    return undefined;
  }
  const sender = new Sender(connection, task, status);
  node.on('input', (msg, send, done) => sender.add(msg, send, outcomeOf(node, msg, done)));
  onClose(node, () => sender.close());
  const started = connection.flowsStarted();
  return (msg) => {
    void started.then(() => sender.add(msg, (sent) => node.send(sent), outcomeOf(node, msg, (error) => { if (error) node.error(error, msg); })));
  };
}

class Sender {
  readonly #connection: BoxConnection;
  readonly #task: Parameters<typeof sendThrough>[3];
  readonly #status: NodeStatus;
  /** Ends the wait for what comes after acceptance. */
  readonly #closing = new AbortController();
  /** Ends everything. */
  readonly #late = new AbortController();
  readonly #leave: () => void;
  readonly #unwatch: () => void;
  readonly #say = (): void => this.#show();
  #waiting: Job[] = [];
  /** What the box has not accepted yet. */
  readonly #inFlight = new UnderWay<Job>();
  /** What it has, and is not done. */
  readonly #onTheWay = new UnderWay<Job>();
  /** Called when one has been finished, or accepted. */
  #finished: (() => void)[] = [];
  /** Nothing is handed to it for a moment. */
  #busy = false;
  #pumping: Promise<void> | undefined;
  #added = 0;
  #count = 0;
  #lastError: string | undefined;
  /** All have been told what came of them. */
  #over = false;

  constructor(connection: BoxConnection, task: Parameters<typeof sendThrough>[3], status: NodeStatus) {
    this.#connection = connection;
    this.#task = task;
    this.#status = status;
    // One for each message that waits to be delivered.
    setMaxListeners(0, this.#closing.signal);
    this.#leave = connection.enter();
    this.#unwatch = connection.watch((state) => this.#show(state));
  }

  add(msg: NodeMessage, send: Send, done: Done): void {
    if (this.#over) return done(asError(this.#closing.signal.reason));
    if (this.#waiting.length + (this.#task.isFollowed ? 0 : this.#onTheWay.size) >= MAX_WAITING) {
      this.#lastError = `${MAX_WAITING} messages wait already`;
      done(new Error(this.#lastError));
      this.#show();
      return;
    }
    this.#waiting.push({ msg, send, done, since: performance.now(), no: this.#added++ });
    this.#pumping ??= this.#pump();
    if (this.#connection.state.phase !== 'open') this.#status.changed(this.#say);
  }

  /** What waits still goes to a box that is open, or is just being opened: who sent it here may have confirmed it already. */
  async close(): Promise<void> {
    const reason = new Error('the flow was stopped or deployed again before this was sent');
    this.#unwatch();
    this.#closing.abort(reason);
    const { phase } = this.#connection.state;
    if (phase !== 'open' && phase !== 'opening') this.#late.abort(reason);
    const finished = new AbortController();
    await Promise.race([
      this.#finishAll(),
      sleep(FINISH_MS, undefined, { signal: finished.signal }).catch(() => undefined), // aborted just below
    ]);
    finished.abort();
    this.#late.abort(reason);
    this.#over = true;
    for (const job of this.#waiting.splice(0)) job.done(reason);
    const { mayHave } = this.#task;
    const unknown = new Error(`${NOT_ANSWERED}${mayHave === undefined ? '' : `: it may have been ${mayHave}`}`);
    for (const job of [...this.#inFlight.endAll(), ...this.#onTheWay.endAll()]) job.done(unknown);
    this.#wake();
    this.#leave();
    this.#status.close();
  }

  async #finishAll(): Promise<void> {
    await nextTurn(); // what other nodes sent just now comes in then
    while (this.#pumping || this.#inFlight.size + this.#onTheWay.size > 0) await (this.#pumping ?? this.#oneFinished());
  }

  async #pump(): Promise<void> {
    const { signal } = this.#late;
    try {
      while (this.#waiting.length > 0) {
        if (this.#busy) await sleep(BUSY_RETRY_MS, undefined, { signal }).catch(() => undefined); // aborted: the box is not waited for either
        this.#busy = false;
        const box = await this.#connection.box(signal);
        while (this.#waiting.length > 0 && this.#inFlight.size < MAX_IN_FLIGHT && !signal.aborted) {
          void this.#finish(box, this.#waiting.shift()!);
        }
        if (this.#waiting.length > 0 && !signal.aborted) await this.#oneFinished();
      }
    } catch (error) {
      // Only closing ends the wait for a box; everything that waited is told so.
      for (const job of this.#waiting.splice(0)) job.done(asError(error));
    } finally {
      this.#pumping = undefined;
    }
  }

  #oneFinished(): Promise<void> {
    return new Promise((resolve) => { this.#finished.push(resolve); });
  }

  async #finish(box: Box, job: Job): Promise<void> {
    this.#inFlight.begin(job);
    this.#status.again(this.#say);
    let isAccepted = false;
    const accepted = (): void => {
      if (isAccepted || this.#over) return;
      isAccepted = true;
      this.#inFlight.end(job);
      this.#onTheWay.begin(job);
      this.#wake();
    };
    const send: Send = (msg) => { if (!this.#over) job.send(msg); };
    try {
      await this.#task.deliver(box, job.msg, this.#closing.signal, send, accepted);
      if (this.#over) return;
      this.#count++;
      this.#lastError = undefined;
      job.done();
    } catch (error) {
      if (!this.#over) this.#failed(job, error, isAccepted);
    } finally {
      this.#inFlight.end(job);
      this.#onTheWay.end(job);
      this.#wake();
    }
  }

  #wake(): void {
    if (this.#finished.length > 0) for (const wake of this.#finished.splice(0)) wake();
    this.#status.changed(this.#say);
  }

  #failed(job: Job, error: unknown, isAccepted: boolean): void {
    // Refused before anything was stored: trying again cannot double it. What came later waits for it.
    if (codeOf(error) === 'busy' && !isAccepted && !this.#late.signal.aborted) {
      const at = this.#waiting.findIndex(({ no }) => no > job.no);
      this.#waiting.splice(at < 0 ? this.#waiting.length : at, 0, job);
      this.#busy = true;
      this.#pumping ??= this.#pump();
      return;
    }
    this.#lastError = inWords(error);
    job.done(asError(error));
  }

  #show(state: BoxState = this.#connection.state): void {
    if (this.#closing.signal.aborted) return;
    const [first] = this.#waiting;
    const waiting: Queue = { size: this.#waiting.length, age: first === undefined ? 0 : performance.now() - first.since };
    // First, because a long reason is cut off at its end.
    const held = heldUp(waiting, this.#inFlight);
    if (waiting.size + this.#inFlight.size + this.#onTheWay.size > 0) this.#status.again(this.#say);
    if (state.phase === 'failed') return this.#status.bad(`${held}${state.reason}`);
    if (state.phase !== 'open') return this.#status.waiting(`${held}opening the box`);
    if (this.#lastError !== undefined) return this.#status.bad(`${held}${this.#lastError}`);
    const did = `${this.#task.did} ${this.#count}`;
    const onTheWay = this.#onTheWay.size === 0 ? '' : `, ${this.#onTheWay.size} on the way${oldestInWords(this.#onTheWay.age)}`;
    const isHeld = Math.max(waiting.age, this.#inFlight.age) >= GRACE_MS || (waiting.size > 0 && this.#inFlight.size >= MAX_IN_FLIGHT);
    if (isHeld) this.#status.waiting(`${held}${did}${onTheWay}`);
    else if (onTheWay !== '') this.#status.waiting(`${did}${onTheWay}`);
    else if (this.#count > 0) this.#status.good(did);
    else this.#status.idle('ready');
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
