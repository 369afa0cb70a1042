import { setMaxListeners } from 'node:events';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { Node, NodeAPI, NodeMessage } from 'node-red';
import type { Box } from '../../src/index.ts';
import { ageInWords } from './age-in-words.ts';
import type { BoxConnection, BoxState } from './box-connection.ts';
import { connectionOf, NO_BOX, onClose, type BoxUserDef } from './box-node.ts';
import { codeOf, inWords } from './in-words.ts';
import { NodeStatus } from './node-status.ts';
import { outcomeOf, type Done } from './outcome.ts';

/** Messages that wait in one node, for the box or for what comes after acceptance; the next one fails with words, so that Catch sees it. */
const MAX_WAITING = 10_000;
/** Handed to the box at once; enough for one commit to be shared by many while the next ones are made ready. */
const MAX_IN_FLIGHT = 512;
const BUSY_RETRY_MS = 200;
const FINISH_MS = 4000;

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

/** From then on the status says how old the oldest is. */
const OLD_MS = 60_000;

/**
 * The sending half of a node: messages wait for the box, go in order, and `done` is called
 * when what was asked for is true, with the error when it is not. Returns how the node sends one of its own, once
 * the flow has all its nodes.
 */
export function sendThrough(RED: NodeAPI, node: Node, def: BoxUserDef, task: {
  /** Past tense for the status, e.g. `published`. */
  readonly did: string;
  /** What it waits for after acceptance is bounded by the box, which gives up the oldest: it keeps nothing new off the disk. */
  readonly isFollowed?: boolean;
  /** `closing` stops waiting for what comes after acceptance, which `accepted` tells of: from then on it keeps no other waiting. */
  deliver(box: Box, msg: NodeMessage, closing: AbortSignal, send: Send, accepted: () => void): Promise<void>;
}): ((msg: NodeMessage) => void) | undefined {
  const connection = connectionOf(RED, def);
  const status = new NodeStatus(node);
  if (!connection) {
    status.bad(NO_BOX);
    node.on('input', (_msg, _send, done) => done(new Error(NO_BOX)));
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
  #inFlight = 0;
  /** What it has, and is not done. */
  #onTheWay = 0;
  /** Called when one has been finished, or accepted. */
  #finished: (() => void)[] = [];
  /** Nothing is handed to it for a moment. */
  #busy = false;
  #pumping: Promise<void> | undefined;
  #added = 0;
  #count = 0;
  #lastError: string | undefined;

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
    if (this.#waiting.length + (this.#task.isFollowed ? 0 : this.#onTheWay) >= MAX_WAITING) {
      this.#lastError = `${MAX_WAITING} messages wait already`;
      done(new Error(this.#lastError));
      this.#show();
      return;
    }
    this.#waiting.push({ msg, send, done, since: performance.now(), no: this.#added++ });
    this.#pumping ??= this.#pump();
    if (this.#connection.state.phase !== 'open') this.#status.changed(this.#say);
  }

  /** What waits still goes to a box that is open: who sent it here may have confirmed it already. */
  async close(): Promise<void> {
    const reason = new Error('the flow was stopped or deployed again before this was sent');
    this.#unwatch();
    this.#closing.abort(reason);
    if (this.#connection.state.phase !== 'open') this.#late.abort(reason);
    const finished = new AbortController();
    await Promise.race([
      this.#finishAll(),
      sleep(FINISH_MS, undefined, { signal: finished.signal }).catch(() => undefined), // aborted just below
    ]);
    finished.abort();
    this.#late.abort(reason);
    for (const job of this.#waiting.splice(0)) job.done(reason);
    this.#leave();
    this.#status.close();
  }

  async #finishAll(): Promise<void> {
    await nextTurn(); // what other nodes sent just now comes in then
    while (this.#pumping || this.#inFlight + this.#onTheWay > 0) await (this.#pumping ?? this.#oneFinished());
  }

  async #pump(): Promise<void> {
    const { signal } = this.#late;
    try {
      while (this.#waiting.length > 0) {
        if (this.#busy) await sleep(BUSY_RETRY_MS, undefined, { signal }).catch(() => undefined); // aborted: the box is not waited for either
        this.#busy = false;
        const box = await this.#connection.box(signal);
        while (this.#waiting.length > 0 && this.#inFlight < MAX_IN_FLIGHT && !signal.aborted) {
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
    this.#inFlight++;
    let isAccepted = false;
    const accepted = (): void => {
      if (isAccepted) return;
      isAccepted = true;
      this.#inFlight--;
      this.#onTheWay++;
      this.#wake();
    };
    try {
      try {
        await this.#task.deliver(box, job.msg, this.#closing.signal, job.send, accepted);
      } catch (error) {
        this.#failed(job, error, isAccepted);
        return;
      }
      this.#count++;
      this.#lastError = undefined;
      job.done();
    } finally {
      if (isAccepted) this.#onTheWay--;
      else this.#inFlight--;
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
    // First, because a long reason is cut off at its end.
    const [oldest] = this.#waiting;
    const age = oldest === undefined ? 0 : performance.now() - oldest.since;
    const waiting = oldest === undefined ? '' : `${this.#waiting.length} waiting${age < OLD_MS ? '' : `, oldest ${ageInWords(age)}`}: `;
    if (this.#closing.signal.aborted) return;
    if (state.phase === 'failed') this.#status.bad(`${waiting}${state.reason}`);
    else if (state.phase !== 'open') this.#status.waiting(`${waiting}opening the box`);
    else if (this.#lastError !== undefined) this.#status.bad(this.#lastError);
    else if (this.#waiting.length > 0 && this.#inFlight >= MAX_IN_FLIGHT) this.#status.waiting(`${waiting}${this.#task.did} ${this.#count}`);
    else if (this.#onTheWay > 0) this.#status.waiting(`${this.#task.did} ${this.#count}, ${this.#onTheWay} on the way`);
    else if (this.#count > 0) this.#status.good(`${this.#task.did} ${this.#count}`);
    else this.#status.idle('ready');
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
